"""Rows of log_entries: documents as rows, stored by COPY; where PostgreSQL refuses some, those are found and named."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from logintel.identity import named_id

_COLUMNS: Final = (
    "id", "source_id", "log_id", "timestamp", "level", "message", "category", "tags", "metadata", "size_bytes",
    "processing_status", "created_at",
)  # fmt: skip
_NAMES: Final = ", ".join(_COLUMNS)
#: What text and jsonb of PostgreSQL cannot hold is shown as Unicode's replacement character.
_NUL, _INSTEAD = "\0", "\N{REPLACEMENT CHARACTER}"
_NUL_ESCAPED: Final = rb"\u0000"
#: Characters of columns that have a limit; the whole text is in the document.
_CATEGORY, _NAME, _TYPE, _LOG_ID = 100, 100, 50, 255

#: A row that is there already, or one that the table does not take.
_REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class Source(NamedTuple):
    """A row of log_sources, as an event tells of it."""

    id: uuid.UUID
    name: str
    type: str


class Row(NamedTuple):
    """A row to store. `values` in the order of the table's columns; `origin`: what the caller knows it by."""

    values: tuple[Any, ...]
    source: Source
    origin: Any

    @property
    def log_id(self) -> str:
        """Of the event."""
        return self.values[2]  # type: ignore[no-any-return]  # see _COLUMNS

    @property
    def timestamp(self) -> datetime:
        """Of the event."""
        return self.values[3]  # type: ignore[no-any-return]  # see _COLUMNS


class Refusal(NamedTuple):
    """A row that PostgreSQL does not take; `error` is its reason, without content."""

    origin: Any
    error: str


def row_of(document: bytes, origin: Any) -> Row:
    """The row of a document (JSON bytes). Raises ValueError that says what is wrong, without content."""
    source = orjson.loads(document)
    if _NUL_ESCAPED in document:
        source = without_nul(source)
    try:
        log_id, origin_source = source["log_id"], source_of(source)
        values = (
            entry_id(log_id),
            origin_source.id,
            log_id[:_LOG_ID],
            datetime.fromisoformat(source["timestamp"]),
            source["level"],
            source["message"],
            source["category"] and source["category"][:_CATEGORY],
            orjson.dumps(source["tags"]).decode(),
            orjson.dumps(source["metadata"]).decode(),
            source["size_bytes"],
            source["processing_status"],
            datetime.fromisoformat(source["created_at"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a document of ours: {type(error).__name__}: {error}") from error
    return Row(values, origin_source, origin)


def source_of(document: Mapping[str, Any]) -> Source:
    """The source of a document. Raises ValueError, KeyError, TypeError, AttributeError where it names none."""
    metadata, source_id = document["metadata"], uuid.UUID(document["source_id"])
    name, kind = metadata.get("source"), metadata.get("source_type")
    name = without_nul(name) if isinstance(name, str) else str(source_id)
    return Source(source_id, name[:_NAME], without_nul(kind)[:_TYPE] if isinstance(kind, str) else "custom")


async def store(connection: asyncpg.Connection, rows: Sequence[Row]) -> list[Refusal]:
    """Store the rows, with the sources that they name; those that PostgreSQL refuses. What is there already stays.

    Raises what is wrong with the connection or the server; then some rows may be stored.
    """
    if not rows:
        return []
    try:
        await _copied(connection, rows)
    except _REFUSED:
        return await _bisected(connection, rows)
    return []


async def _copied(connection: asyncpg.Connection, rows: Sequence[Row]) -> None:
    """The fast way: all rows are new and good."""
    async with connection.transaction():
        await save_sources(connection, (row.source for row in rows))
        await connection.copy_records_to_table("log_entries", records=_values(rows), columns=_COLUMNS)


async def _bisected(connection: asyncpg.Connection, rows: Sequence[Row]) -> list[Refusal]:
    """Halves and halves of halves, until the rows that are refused stand alone."""
    try:
        async with connection.transaction():
            await save_sources(connection, (row.source for row in rows))
            await connection.execute("CREATE TEMPORARY TABLE incoming (LIKE log_entries) ON COMMIT DROP")
            await connection.copy_records_to_table("incoming", records=_values(rows), columns=_COLUMNS)
            await connection.execute(
                f"INSERT INTO log_entries ({_NAMES}) SELECT {_NAMES} FROM incoming ON CONFLICT DO NOTHING"  # noqa: S608
            )
    except _REFUSED as error:
        if len(rows) == 1:
            return [Refusal(rows[0].origin, _reason(error))]
        half = len(rows) // 2
        return await _bisected(connection, rows[:half]) + await _bisected(connection, rows[half:])
    return []


async def save_sources(connection: asyncpg.Connection, sources: Iterable[Source]) -> None:
    """A row for each that has none. In one order: two processes that insert the same ones do not wait in a ring."""
    distinct = sorted({source.id: source for source in sources}.values())
    if distinct:
        await connection.execute(
            "INSERT INTO log_sources (id, name, type) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) "
            "ON CONFLICT (id) DO NOTHING",
            *(list(column) for column in zip(*distinct, strict=True)),
        )


def _values(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [row.values for row in rows]


def entry_id(log_id: str) -> uuid.UUID:
    """log_id, or for an id of another system one made from it."""
    try:
        return uuid.UUID(log_id)
    except ValueError:
        return uuid.UUID(named_id("row", log_id))


def without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _INSTEAD)
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    return value


def _reason(error: Exception) -> str:
    """PostgreSQL's message up to where it may quote a value."""
    state = getattr(error, "sqlstate", None) or "client"
    return f"{state} {type(error).__name__}: {str(error).partition(':')[0]}"[:300]
