"""Alerts, rule states, rules and the alerter's offsets in PostgreSQL: read, and saved in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from logintel_collector.alert import Alert, Changes, Notification, RuleState
from logintel_collector.processor import stamp
from logintel_collector.rules.rule import Rule
from logintel_collector.stores.postgres_documents import entry_id, without_nul

#: Characters of alerts.title.
_TITLE: Final = 255
_COLUMNS: Final = (
    "id, title, description, severity, status, source_id, log_entry_id, rule_id, triggered_at, metadata, "
    "acknowledged_at, resolved_at, acknowledged_by, resolved_by, escalation_level"
)
# What people did to an alert stays, also when the rules that go on evaluating have not heard of it.
_UPSERT_ALERT: Final = """
    INSERT INTO alerts (id, title, description, severity, status, source_id, log_entry_id, rule_id, triggered_at,
        metadata, acknowledged_at, resolved_at, acknowledged_by, resolved_by, escalation_level)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title, description = excluded.description, severity = excluded.severity,
        -- what a person has closed or acknowledged stays so: evaluating rules can only resolve what is not closed yet
        status = CASE WHEN excluded.status = 'RESOLVED' AND alerts.status IN ('OPEN', 'ACKNOWLEDGED') THEN 'RESOLVED'
            ELSE alerts.status END,
        escalation_level = excluded.escalation_level, metadata = excluded.metadata,
        acknowledged_at = coalesce(excluded.acknowledged_at, alerts.acknowledged_at),
        acknowledged_by = coalesce(excluded.acknowledged_by, alerts.acknowledged_by),
        resolved_at = coalesce(excluded.resolved_at, alerts.resolved_at),
        resolved_by = coalesce(excluded.resolved_by, alerts.resolved_by)
"""
_DELETE_STATE: Final = "DELETE FROM rule_states WHERE rule_id = $1 AND group_key = $2"
_UPSERT_STATE: Final = """
    INSERT INTO rule_states (rule_id, group_key, revision, state) VALUES ($1, $2, $3, $4)
    ON CONFLICT (rule_id, group_key) DO UPDATE SET revision = excluded.revision, state = excluded.state
"""
_INSERT_NOTIFICATION: Final = """
    INSERT INTO outbox (id, alert_id, body, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING
"""
_UPSERT_RULE: Final = """
    INSERT INTO alert_rules AS old (id, name, description, query, conditions, severity, is_active)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, query = excluded.query,
        conditions = excluded.conditions, severity = excluded.severity, is_active = excluded.is_active,
        updated_at = CASE WHEN (old.query, old.conditions, old.severity, old.description)
            IS NOT DISTINCT FROM (excluded.query, excluded.conditions, excluded.severity, excluded.description)
            THEN old.updated_at ELSE excluded.updated_at END
"""


async def rule_states(connection: asyncpg.Connection) -> list[RuleState]:
    """Every state that is kept."""
    rows = await connection.fetch("SELECT rule_id, group_key, revision, state FROM rule_states")
    return [RuleState(str(row[0]), row[1], row[2], row[3]) for row in rows]


async def open_alerts(connection: asyncpg.Connection) -> list[Alert]:
    """Alerts that are neither resolved nor closed, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM alerts WHERE status IN ('OPEN', 'ACKNOWLEDGED') ORDER BY triggered_at, id"  # noqa: S608
    )
    return [_alert(row) for row in rows]


async def latest_alerts(connection: asyncpg.Connection, status: str | None, limit: int | None) -> list[Alert]:
    """At most `limit` alerts (None: all), of that status (None: any), newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM alerts WHERE coalesce(status = $1, true) ORDER BY triggered_at DESC, id LIMIT $2",  # noqa: S608
        status,
        limit,
    )
    return [_alert(row) for row in rows]


async def offsets(connection: asyncpg.Connection, reader: str, topic: str) -> dict[int, int]:
    """{partition: offset of the first record that is not done} of a reader."""
    rows = await connection.fetch(
        "SELECT partition, position FROM consumer_offsets WHERE reader = $1 AND topic = $2", reader, topic
    )
    return {row["partition"]: row["position"] for row in rows}


async def record_start(connection: asyncpg.Connection, reader: str, topic: str, starts: Mapping[int, int]) -> int:
    """Let the reader begin at `starts`, {partition: offset}, where it has no offset; how many those were."""
    rows = await connection.fetch(
        "INSERT INTO consumer_offsets (reader, topic, partition, position, epoch) "
        "SELECT $1, $2, partition, position, 0 FROM unnest($3::int[], $4::bigint[]) AS start (partition, position) "
        "ON CONFLICT DO NOTHING RETURNING partition",
        reader,
        topic,
        list(starts),
        list(starts.values()),
    )
    return len(rows)


async def save_offsets(
    connection: asyncpg.Connection, reader: str, topic: str, reached: Mapping[int, int], epoch: int
) -> None:
    """Where the reader goes on."""
    await connection.executemany(
        "INSERT INTO consumer_offsets (reader, topic, partition, position, epoch) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (reader, topic, partition) DO UPDATE SET position = excluded.position, epoch = excluded.epoch",
        [(reader, topic, partition, position, epoch) for partition, position in reached.items()],
    )


async def save_changes(connection: asyncpg.Connection, changes: Changes) -> None:
    """What evaluating rules changed; mostly nothing, which asks the server nothing."""
    kept = [state for state in changes.states if state.state is not None]
    gone = [(state.rule_id, state.group) for state in changes.states if state.state is None]
    for statement, rows in (
        (_UPSERT_ALERT, list(map(_row, changes.alerts))),
        (_DELETE_STATE, gone),
        (_UPSERT_STATE, [(state.rule_id, state.group, state.revision, state.state) for state in kept]),
        (_INSERT_NOTIFICATION, list(map(_notification, changes.notifications))),
    ):
        if rows:
            await connection.executemany(statement, rows)


async def save_rules(connection: asyncpg.Connection, rules: Sequence[Rule]) -> None:
    """Make alert_rules show these rules; those that are gone stay, inactive."""
    await connection.execute(
        "UPDATE alert_rules SET is_active = false WHERE is_active AND id <> ALL ($1)", [rule.id for rule in rules]
    )
    await connection.executemany(_UPSERT_RULE, list(map(_rule, rules)))


def _rule(rule: Rule) -> tuple[Any, ...]:
    config = rule.config
    conditions = config.conditions.model_dump(mode="json")
    return (
        rule.id,
        without_nul(config.name),
        without_nul(config.description),
        _text(config.query),
        _text(conditions),
        config.severity,
        config.is_active,
    )


def _row(alert: Alert) -> tuple[Any, ...]:
    return (
        alert.id,
        without_nul(alert.title)[:_TITLE],
        without_nul(alert.description),
        alert.severity,
        alert.status,
        alert.source_id,
        entry_id(alert.log_entry_id) if alert.log_entry_id else None,
        alert.rule_id,
        _moment(alert.triggered_at),
        _text(alert.metadata),
        _moment(alert.acknowledged_at),
        _moment(alert.resolved_at),
        alert.acknowledged_by,
        alert.resolved_by,
        alert.escalation_level,
    )


def _notification(notification: Notification) -> tuple[Any, ...]:
    return (notification.id, notification.alert_id, _text(notification.body), _moment(notification.created_at))


def _alert(row: asyncpg.Record) -> Alert:
    values = {name: _plain(value) for name, value in row.items()}
    return Alert(**{**values, "metadata": orjson.loads(row["metadata"] or "{}")})


def _plain(value: Any) -> Any:
    """Ids and times as text, as rules see them."""
    if isinstance(value, UUID):
        return str(value)
    return stamp(value.astimezone(UTC)) if isinstance(value, datetime) else value


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(value: object) -> str:
    return orjson.dumps(without_nul(value)).decode()
