"""The outbox in the SQLite file (see notifier.outbox). Synchronous; for the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import orjson

from logintel_collector.alert import Notification
from logintel_collector.notifier.outbox import Attempt, PendingNotification

_PENDING: Final = """
    SELECT id, alert_id, body, created_at, coalesce(attempts, 0)
    FROM outbox LEFT JOIN outbox_deliveries ON notification_id = id AND channel = ?
    WHERE channel IS NULL OR retry_at <= ?
    ORDER BY created_at, id LIMIT ?
"""
_REPORT: Final = """
    INSERT INTO outbox_deliveries (notification_id, channel, attempts, retry_at, error) VALUES (?, ?, 1, ?, ?)
    ON CONFLICT (notification_id, channel) DO UPDATE SET
        attempts = attempts + 1, retry_at = excluded.retry_at, error = excluded.error
"""


def pending(connection: sqlite3.Connection, channel: str, now: str, limit: int) -> list[PendingNotification]:
    """What `channel` is to tell now, oldest first."""
    return [
        PendingNotification(Notification(id_, alert_id, orjson.loads(body), created_at), attempts)
        for id_, alert_id, body, created_at, attempts in connection.execute(_PENDING, (channel, now, limit))
    ]


def report(connection: sqlite3.Connection, channel: str, attempts: Sequence[Attempt]) -> None:
    """Note what became of them, inside the caller's transaction."""
    rows = [(one.notification_id, channel, one.retry_at, one.error) for one in attempts]
    connection.executemany(_REPORT, rows)
