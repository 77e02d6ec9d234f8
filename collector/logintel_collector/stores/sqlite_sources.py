"""Sources in the SQLite file: their health, as the keeper writes it to PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

import orjson

from logintel_collector.source_health.memory import Memory
from logintel_collector.source_health.row import COMBINED, OVERVIEW, SourceRow, health_values, source_values
from logintel_collector.source_health.watch import Findings, Key

_SAVE_SOURCE: Final = """
    INSERT INTO log_sources (id, name, type, description, configuration)
    VALUES (:id, :name, :type, :description, :configuration)
    ON CONFLICT (id) DO UPDATE SET description = coalesce(excluded.description, description),
        configuration = coalesce(excluded.configuration, configuration)
"""
_SAVE_HEALTH: Final = """
    INSERT OR REPLACE INTO source_health (source_id, host, installation, is_active, health_status, reason, changed_at,
        heard_at, detail, memory)
    VALUES (:source_id, :host, :installation, :is_active, :health_status, :reason, :changed_at, :heard_at, :detail,
        :memory)
"""
_REMOVE: Final = """
    UPDATE source_health SET is_active = 0, health_status = 'unknown', reason = ?, changed_at = ?
    WHERE source_id = ? AND host = ? AND is_active
"""
_COMBINE: Final = f"""
    UPDATE log_sources SET health_status = health, is_active = active, last_health_check = ?
    FROM ({COMBINED.format(active="max(is_active)")}) WHERE id = source_id
"""  # noqa: S608 - ours


def memories(connection: sqlite3.Connection) -> dict[Key, Memory]:
    """See postgres_sources."""
    rows = connection.execute("SELECT source_id, host, memory FROM source_health WHERE is_active")
    return {(source_id, host): Memory.from_json(orjson.loads(memory)) for source_id, host, memory in rows}


def save(connection: sqlite3.Connection, installation: str, findings: Findings, now: str) -> None:
    """Write it, inside the caller's transaction. `now`: as text."""
    states, removed, reason = findings
    connection.executemany(_SAVE_SOURCE, [_flat(source_values(state)) for state in states])
    connection.executemany(_SAVE_HEALTH, [_flat(health_values(state, installation)) for state in states])
    connection.executemany(_REMOVE, [(reason, now, *key) for key in removed])
    connection.execute(_COMBINE, (now,))


def overview(connection: sqlite3.Connection) -> list[SourceRow]:
    """Every source, by name and host."""
    cursor = connection.execute(OVERVIEW)
    names = [column[0] for column in cursor.description]
    return [SourceRow.of(dict(zip(names, row, strict=True))) for row in cursor]


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: orjson.dumps(value).decode() if isinstance(value, dict) else value for key, value in values.items()}
