"""Retention of the SQLite file: the oldest events go, a bounded number at a time. Synchronous; for the writer's thread.

Age is counted from arrival (created_at), not from the event's own date: a year-old file that is read today would
otherwise be deleted as it is indexed. Ids rise with arrival, so the oldest are the lowest. Pages that are free are used
again; when many are, they are given back to the file system, and the file shrinks.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from logintel_collector.processor import stamp
from logintel_collector.stores.sqlite_terms import BLOCK_BITS, block_text

#: Blocks deleted in one call: tens of milliseconds, so that indexing hardly waits.
_BLOCKS_A_CALL: Final = 512
#: Pages (of 4 KiB) that stay free for what comes next, or a part of all, if more; and those given back in a call.
_SPARE: Final = 1024
_SPARE_PART: Final = 8
_GIVEN_A_CALL: Final = 1024
#: A notification that every channel is done with is kept so long, for a repeat to find it.
_TOLD: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept: not longer than `days` since arrival, not more than `max_bytes` of file in use."""

    days: float = 30
    max_bytes: int = 5 * 1024**3


def expire(connection: sqlite3.Connection, retention: Retention, now: datetime) -> int:
    """Delete the oldest blocks that are too old or too much; how many documents."""
    oldest = stamp(now - timedelta(days=min(retention.days, 365_000)))
    connection.execute("DELETE FROM dead_letters WHERE created_at < ?", (oldest,))
    connection.execute(
        "DELETE FROM outbox WHERE created_at < ? AND id IN (SELECT notification_id FROM outbox_deliveries "
        "GROUP BY notification_id HAVING count(retry_at) = 0)",
        (stamp(now - _TOLD),),
    )
    connection.execute("DELETE FROM analytics WHERE updated_at < ?", (oldest,))
    row = connection.execute("SELECT document_id, created_at FROM log_entries ORDER BY document_id LIMIT 1").fetchone()
    if row is not None:  # the minutes go with their events, or they alone could become too much; hours are few
        connection.execute("DELETE FROM analytics WHERE updated_at < ? AND aggregation_period = 'minute'", (row[1],))
    if row is None or (row[1] >= oldest and _used(connection) <= retention.max_bytes):
        return 0
    too_much = _used(connection) > retention.max_bytes
    return _delete(connection, row[0] >> BLOCK_BITS, None if too_much else oldest)


def give_back(connection: sqlite3.Connection) -> int:
    """Give free pages back to the file system, a bounded number, where many are free; how many. Not in a transaction.

    0 too for a file that was made before there was this: it keeps its size.
    """
    pages, free, _ = _pages(connection)
    spare = max(_SPARE, pages // _SPARE_PART)
    if free <= spare:
        return 0
    # A script is stepped to its end; a statement without columns only once, and each step gives back one page.
    connection.executescript(f"PRAGMA incremental_vacuum({min(free - spare, _GIVEN_A_CALL)})")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # only then the file is shorter
    return int(free - _pages(connection)[1])


def _used(connection: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages, free, size = _pages(connection)
    return (pages - free) * size


def _pages(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """All pages of the file, those that are free, and bytes of one."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int(pages), int(free), int(size)


def _delete(connection: sqlite3.Connection, first: int, before: str | None) -> int:
    """Delete whole blocks from `first` on, as far as they arrived `before` (None: all of this call's)."""
    rows = connection.execute(
        "SELECT document_id, created_at, body FROM log_entries JOIN documents ON documents.id = document_id "
        "WHERE document_id >= ? ORDER BY document_id LIMIT ?",
        (first << BLOCK_BITS, _BLOCKS_A_CALL << BLOCK_BITS),
    )
    blocks: dict[int, list[str]] = {}
    last = 0
    for number, created_at, body in rows:
        block = number >> BLOCK_BITS
        if block not in blocks and (len(blocks) == _BLOCKS_A_CALL or (before is not None and created_at >= before)):
            break
        blocks.setdefault(block, []).append(body)
        last = number
    connection.executemany(
        "INSERT INTO document_terms (document_terms, rowid, text) VALUES ('delete', ?, ?)",
        ((block, block_text(map(orjson.loads, bodies))) for block, bodies in blocks.items()),
    )
    connection.execute("DELETE FROM documents WHERE id <= ?", (last,))
    connection.execute("DELETE FROM log_entries WHERE document_id <= ?", (last,))
    return sum(map(len, blocks.values()))
