"""One batch into the SQLite file: everything that it changed. Synchronous; for the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from typing import Final

import orjson

from logintel.dead_letter import DeadLetter
from logintel.event import Json
from logintel_collector.alert import Alert, Changes, Notification, RuleState
from logintel_collector.document import Document
from logintel_collector.processor import Processed
from logintel_collector.stores.sqlite_terms import BLOCK_BITS, block_text

#: The one reader of the embedded bus.
READER: Final = "collector"
_INSERT_ENTRY: Final = """
    INSERT INTO log_entries (document_id, id, source_id, log_id, timestamp, level, message, category, tags, metadata,
        size_bytes, processing_status, created_at)
    VALUES (?, ?, ?, ?2, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING
"""
#: Those of dead_letters: the keys of a dead letter, in its order.
LETTER_COLUMNS: Final = tuple(field.name for field in fields(DeadLetter))
_INSERT_LETTER: Final = (
    f"INSERT OR IGNORE INTO dead_letters ({', '.join(LETTER_COLUMNS)}) "  # noqa: S608 - ours
    f"VALUES ({', '.join('?' * len(LETTER_COLUMNS))})"
)
# What people did to an alert stays, also when the rules that go on evaluating have not heard of it.
_UPSERT_ALERT: Final = """
    INSERT INTO alerts (id, title, description, severity, status, source_id, log_entry_id, rule_id, triggered_at,
        acknowledged_at, resolved_at, acknowledged_by, resolved_by, escalation_level, metadata)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title, description = excluded.description, severity = excluded.severity,
        -- what a person has closed or acknowledged stays so: evaluating rules can only resolve what is not closed yet
        status = CASE WHEN excluded.status = 'RESOLVED' AND status IN ('OPEN', 'ACKNOWLEDGED') THEN 'RESOLVED'
            ELSE status END,
        escalation_level = excluded.escalation_level, metadata = excluded.metadata,
        acknowledged_at = coalesce(excluded.acknowledged_at, acknowledged_at),
        acknowledged_by = coalesce(excluded.acknowledged_by, acknowledged_by),
        resolved_at = coalesce(excluded.resolved_at, resolved_at),
        resolved_by = coalesce(excluded.resolved_by, resolved_by)
"""


#: The id of the first document of a new file: it is gone when retention has dropped anything.
FIRST_DOCUMENT: Final = 1 << BLOCK_BITS


def next_document_id(connection: sqlite3.Connection) -> int:
    """The first id of the first block that is free."""
    row = connection.execute("SELECT max(document_id) FROM log_entries").fetchone()
    return _next_block(row[0] or 0)


def save(
    connection: sqlite3.Connection, processed: Processed, changes: Changes, offset: int, *, first_id: int, now: str
) -> int:
    """Write it all, inside the caller's transaction; the document id that the next batch begins at."""
    _save_sources(connection, processed.documents)
    numbered = _save_entries(connection, processed.documents, first_id)
    connection.executemany(
        "INSERT INTO documents (id, body) VALUES (?, ?)",
        ((number, document.body.decode()) for number, document in numbered),
    )
    connection.executemany("INSERT INTO document_terms (rowid, text) VALUES (?, ?)", _blocks(numbered))
    connection.executemany(
        _INSERT_LETTER,
        map(astuple, processed.dead_letters),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO stream_positions (stream, seq, seen_at) VALUES (?, ?, ?)",
        ((stream, seq, now) for stream, seq in processed.positions.items()),
    )
    _save_changes(connection, changes)
    connection.execute("INSERT OR REPLACE INTO bus_offsets (reader, position) VALUES (?, ?)", (READER, offset))
    return _next_block(numbered[-1][0]) if numbered else first_id


def _next_block(last_id: int) -> int:
    return ((last_id >> BLOCK_BITS) + 1) << BLOCK_BITS


def _save_sources(connection: sqlite3.Connection, documents: Sequence[Document]) -> None:
    """A row for each source that has none: its name and type are what its events say."""
    seen = {document.source["source_id"]: document.source["metadata"] for document in documents}
    connection.executemany(
        "INSERT INTO log_sources (id, name, type) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
        ((source_id, *_name_and_type(source_id, metadata)) for source_id, metadata in seen.items()),
    )


def _name_and_type(source_id: Json, metadata: Json) -> tuple[str, str]:
    said: Mapping[str, Json] = metadata if isinstance(metadata, dict) else {}
    name, kind = said.get("source"), said.get("source_type")
    return (name if isinstance(name, str) else str(source_id)), (kind if isinstance(kind, str) else "custom")


def _save_entries(
    connection: sqlite3.Connection, documents: Sequence[Document], first_id: int
) -> list[tuple[int, Document]]:
    """Insert the rows of log_entries; the documents that were not there yet, with their ids."""
    numbered = list(enumerate(documents, first_id))
    cursor = connection.executemany(_INSERT_ENTRY, (_entry(number, document) for number, document in numbered))
    if cursor.rowcount in (len(documents), -1):
        return numbered
    # Rare: some id was stored before, though its stream and seq were not. It stays as it is.
    rows = connection.execute("SELECT document_id FROM log_entries WHERE document_id >= ?", (first_id,))
    new = {row[0] for row in rows}
    return [(number, document) for number, document in numbered if number in new]


def _entry(number: int, document: Document) -> tuple[object, ...]:
    source = document.source
    return (
        number,
        source["log_id"],
        source["source_id"],
        source["timestamp"],
        source["level"],
        source["message"],
        source["category"],
        _text(source["tags"]) if source["tags"] else "[]",
        _text(source["metadata"]),
        source["size_bytes"],
        source["processing_status"],
        source["created_at"],
    )


def _blocks(numbered: Sequence[tuple[int, Document]]) -> Iterable[tuple[int, str]]:
    """(block number, its words). The first id begins a block, and ids only rise."""
    blocks: dict[int, list[Document]] = {}
    for number, document in numbered:
        blocks.setdefault(number >> BLOCK_BITS, []).append(document)
    return ((block, block_text(document.source for document in members)) for block, members in blocks.items())


def _save_changes(connection: sqlite3.Connection, changes: Changes) -> None:
    connection.executemany(_UPSERT_ALERT, map(_alert, changes.alerts))
    connection.executemany(
        "DELETE FROM rule_states WHERE rule_id = ? AND group_key = ?",
        ((state.rule_id, state.group) for state in changes.states if state.state is None),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO rule_states (rule_id, group_key, revision, state) VALUES (?, ?, ?, ?)",
        (_state(state) for state in changes.states if state.state is not None),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO outbox (id, alert_id, body, created_at) VALUES (?, ?, ?, ?)",
        map(_notification, changes.notifications),
    )


def _alert(alert: Alert) -> tuple[object, ...]:
    return (
        alert.id,
        alert.title,
        alert.description,
        alert.severity,
        alert.status,
        alert.source_id,
        alert.log_entry_id,
        alert.rule_id,
        alert.triggered_at,
        alert.acknowledged_at,
        alert.resolved_at,
        alert.acknowledged_by,
        alert.resolved_by,
        alert.escalation_level,
        _text(alert.metadata),
    )


def _state(state: RuleState) -> tuple[object, ...]:
    return (state.rule_id, state.group, state.revision, state.state)


def _notification(notification: Notification) -> tuple[object, ...]:
    return (notification.id, notification.alert_id, _text(notification.body), notification.created_at)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
