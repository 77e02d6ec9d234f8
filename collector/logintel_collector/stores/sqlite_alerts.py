"""Alerts, rules and rule states in the SQLite file. Synchronous."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import orjson

from logintel_collector.alert import Alert, RuleState
from logintel_collector.rules.rule import Rule

_COLUMNS: Final = (
    "id, title, description, severity, status, source_id, log_entry_id, rule_id, triggered_at, metadata, "
    "acknowledged_at, resolved_at, acknowledged_by, resolved_by, escalation_level"
)
_UPSERT_RULE: Final = """
    INSERT INTO alert_rules (id, name, description, query, conditions, severity, is_active, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?8)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, query = excluded.query,
        conditions = excluded.conditions, severity = excluded.severity, is_active = excluded.is_active,
        updated_at = CASE WHEN (query, conditions, severity, description)
            IS (excluded.query, excluded.conditions, excluded.severity, excluded.description)
            THEN updated_at ELSE excluded.updated_at END
"""


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


def save_rules(connection: sqlite3.Connection, rules: Iterable[Rule], now: str) -> None:
    """Insert or update the rows of `rules`; every other row becomes inactive."""
    connection.execute("UPDATE alert_rules SET is_active = 0")
    connection.executemany(_UPSERT_RULE, (_rule(rule, now) for rule in rules))


def _rule(rule: Rule, now: str) -> tuple[object, ...]:
    config = rule.config
    conditions = config.conditions.model_dump_json()
    query = orjson.dumps(config.query).decode()
    return (rule.id, config.name, config.description, query, conditions, config.severity, config.is_active, now)


def _alert(row: tuple[object, ...]) -> Alert:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    values["metadata"] = orjson.loads(str(values["metadata"] or "{}"))
    return Alert(**values)  # type: ignore[arg-type] # the table's types are STRICT
