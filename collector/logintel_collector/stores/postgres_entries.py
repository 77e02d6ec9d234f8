"""Storing rows of log_entries: by COPY; where PostgreSQL refuses some, those are found and named."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Final, NamedTuple

import asyncpg

from logintel_collector.stores.postgres_documents import COLUMNS, Row, Source, lines_of, storable

_NAMES: Final = ", ".join(COLUMNS)
_SAVE_SOURCES: Final = (
    "INSERT INTO log_sources (id, name, type) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) "
    "ON CONFLICT (id) DO NOTHING"
)
_INCOMING: Final = "CREATE TEMPORARY TABLE incoming (LIKE log_entries) ON COMMIT DROP"
_FROM_INCOMING: Final = f"INSERT INTO log_entries ({_NAMES}) SELECT {_NAMES} FROM incoming ON CONFLICT DO NOTHING"  # noqa: S608 - ours
#: Rows that are made ready and sent at once.
_PART: Final = 250
#: A row that is there already, or one that the table does not take; the last is Python's, of a lone surrogate.
_REFUSED: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    UnicodeEncodeError,
)


class Refusal(NamedTuple):
    """A row that PostgreSQL does not take: its place among those to store, and the reason, without content."""

    place: int
    error: str


async def store(connection: asyncpg.Connection, rows: Sequence[Row], sources: Collection[Source]) -> list[Refusal]:
    """Store the rows and the sources that they name; those that PostgreSQL refuses. What is there already stays.

    Raises what is wrong with the connection or the server; then some rows may be stored.
    """
    if not rows:
        return []
    try:
        async with connection.transaction():
            await save_sources(connection, sources)
            await copy(connection, "log_entries", rows)
    except _REFUSED:
        return await _bisected(connection, [storable(row) for row in rows], sources, 0)
    return []


async def _bisected(
    connection: asyncpg.Connection, rows: Sequence[Row], sources: Collection[Source], first: int
) -> list[Refusal]:
    """Halves and halves of halves, until the rows that are refused stand alone; `first`: the place of the first row."""
    try:
        async with connection.transaction():
            await save_sources(connection, sources)
            await connection.execute(_INCOMING)
            await copy(connection, "incoming", rows)
            await connection.execute(_FROM_INCOMING)
    except _REFUSED as error:
        if len(rows) == 1:
            return [Refusal(first, _reason(error))]
        half = len(rows) // 2
        refused = await _bisected(connection, rows[:half], sources, first)
        return refused + await _bisected(connection, rows[half:], sources, first + half)
    return []


async def copy(connection: asyncpg.Connection, table: str, rows: Sequence[Row]) -> None:
    """COPY as text, which costs half of what asyncpg takes to encode each value. Raises what the server refuses."""

    async def parts() -> AsyncIterator[bytes]:
        for first in range(0, len(rows), _PART):
            yield lines_of(rows[first : first + _PART])

    await connection.copy_to_table(table, source=parts(), columns=COLUMNS)


async def save_sources(connection: asyncpg.Connection, sources: Iterable[Source]) -> None:
    """A row for each that has none. In one order: two processes that insert the same ones do not wait in a ring."""
    distinct = {source.id: source for source in sources}
    if distinct:
        ids = sorted(distinct)
        names, types = [distinct[key].name for key in ids], [distinct[key].type for key in ids]
        await connection.execute(_SAVE_SOURCES, ids, names, types)


def _reason(error: Exception) -> str:
    """The message up to where it may quote a value."""
    state = getattr(error, "sqlstate", None) or "client"
    message = re.split(r"[:\"\n]", str(error), maxsplit=1)[0].strip()
    return f"{state} {type(error).__name__}: {message}"[:300]
