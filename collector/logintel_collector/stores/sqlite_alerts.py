"""Alerts and rule states as they are read back from the SQLite file. Synchronous."""

from __future__ import annotations

import sqlite3
from typing import Final

import orjson

from logintel_collector.alert import Alert, RuleState

_COLUMNS: Final = (
    "id, title, description, severity, status, source_id, log_entry_id, rule_id, triggered_at, metadata, "
    "acknowledged_at, resolved_at, acknowledged_by, resolved_by, escalation_level"
)


def rule_states(connection: sqlite3.Connection) -> list[RuleState]:
    """Every state that is kept."""
    return [
        RuleState(*row) for row in connection.execute("SELECT rule_id, group_key, revision, state FROM rule_states")
    ]


def open_alerts(connection: sqlite3.Connection) -> list[Alert]:
    """Alerts that are neither resolved nor closed, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM alerts WHERE status IN ('OPEN', 'ACKNOWLEDGED') ORDER BY triggered_at, id"  # noqa: S608
    )
    return [_alert(row) for row in rows]


def latest_alerts(connection: sqlite3.Connection, status: str | None, limit: int | None) -> list[Alert]:
    """At most `limit` alerts (None: all), of that status (None: any), newest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM alerts WHERE coalesce(status = ?, true) ORDER BY triggered_at DESC, id LIMIT ?",  # noqa: S608
        (status, -1 if limit is None else limit),
    )
    return [_alert(row) for row in rows]


def _alert(row: tuple[object, ...]) -> Alert:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    values["metadata"] = orjson.loads(str(values["metadata"] or "{}"))
    return Alert(**values)  # type: ignore[arg-type] # the table's types are STRICT
