"""Table alert_rules in the SQLite file: what the rules of this run are. Synchronous; for the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import orjson

from logintel_collector.rules.rule import Rule

_UPSERT_RULE: Final = """
    INSERT INTO alert_rules (id, name, description, query, conditions, severity, is_active, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?8)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, query = excluded.query,
        conditions = excluded.conditions, severity = excluded.severity, is_active = excluded.is_active,
        updated_at = CASE WHEN (query, conditions, severity, description)
            IS (excluded.query, excluded.conditions, excluded.severity, excluded.description)
            THEN updated_at ELSE excluded.updated_at END
"""


def save_rules(connection: sqlite3.Connection, rules: Iterable[Rule], now: str) -> None:
    """Insert or update the rows of `rules`; every other row becomes inactive."""
    connection.execute("UPDATE alert_rules SET is_active = 0")
    connection.executemany(_UPSERT_RULE, (_rule(rule, now) for rule in rules))


def _rule(rule: Rule, now: str) -> tuple[object, ...]:
    config = rule.config
    conditions = config.conditions.model_dump_json()
    query = orjson.dumps(config.query).decode()
    return (rule.id, config.name, config.description, query, conditions, config.severity, config.is_active, now)
