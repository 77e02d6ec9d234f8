"""Analytics in the SQLite file: what was counted and what the analyst goes on from. Synchronous."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

import orjson

from logintel_collector.analytics.point import Period, Point, moment, start_of


def save_points(connection: sqlite3.Connection, points: Sequence[Point], now: str) -> None:
    """Inside the caller's transaction; a point that is there is replaced."""
    connection.executemany(
        "INSERT OR REPLACE INTO analytics (aggregation_period, timestamp, dimension, value, metrics, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            (point.period, moment(point.start), point.dimension, point.value, orjson.dumps(point.metrics).decode(), now)
            for point in points
        ),
    )


def save_state(connection: sqlite3.Connection, changes: Mapping[bytes, bytes | None]) -> None:
    """Inside the caller's transaction; None: forget it."""
    connection.executemany(
        "INSERT OR REPLACE INTO analytics_state (key, value) VALUES (?, ?)",
        ((key, value) for key, value in changes.items() if value is not None),
    )
    connection.executemany(
        "DELETE FROM analytics_state WHERE key = ?", ((key,) for key, value in changes.items() if value is None)
    )


def state(connection: sqlite3.Connection) -> dict[bytes, bytes]:
    """What was saved last."""
    return dict(connection.execute("SELECT key, value FROM analytics_state"))


def points(connection: sqlite3.Connection, period: Period, dimension: str, since: str) -> Iterator[Point]:
    """The series of a dimension from `since` on, oldest first."""
    rows = connection.execute(
        "SELECT timestamp, value, metrics FROM analytics "
        "WHERE aggregation_period = ? AND dimension = ? AND timestamp >= ? ORDER BY timestamp, value",
        (period, dimension, since),
    )
    for timestamp, value, metrics in rows:
        yield Point(period, start_of(timestamp), dimension, value, orjson.loads(metrics))
