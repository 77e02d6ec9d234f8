"""Search in the SQLite file: newest first, from a process of its own while another one writes. Synchronous.

The predicate decides, as it does for rules. What the query requires only narrows what is read: the blocks of its words,
the columns that the seed indexes, the time. Pages are short transactions: who reads slowly keeps no old pages alive.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import orjson

from logintel.event import Json
from logintel_collector.query import Query
from logintel_collector.query.narrow import Required, required
from logintel_collector.query.tree import Everything, Exists, Node
from logintel_collector.stores.errors import explained
from logintel_collector.stores.sqlite_file import open_reader
from logintel_collector.stores.sqlite_terms import BLOCK_BITS, match_expression

#: Exact fields that are columns with an index; the most telling first, as far as one can know.
_COLUMNS: Final = {"log_id": "id", "category": "category", "source_id": "source_id", "level": "level"}
#: Fields that every document has.
_ALWAYS: Final = frozenset({"log_id", "source_id", "timestamp", "message", "raw_log", "size_bytes", "created_at"})
#: Up to so many candidates are worth collecting and sorting; of more, the newest are walked through.
_FEW: Final = 20_000
_PAGE: Final = 256
_LONGEST_PAGE: Final = 4096
#: Rows of the blocks that hold the words, and the condition on a row that it is in one of them.
_OF_BLOCKS: Final = (
    "document_terms CROSS JOIN log_entries AS e ON e.document_id BETWEEN document_terms.rowid << ? "
    "AND (document_terms.rowid + 1 << ?) - 1 WHERE document_terms MATCH ?"
)
_IN_BLOCKS: Final = "e.document_id >> ? IN (SELECT rowid FROM document_terms WHERE document_terms MATCH ?)"
_WALK: Final = """
    SELECT e.timestamp, e.document_id, d.body
    FROM log_entries AS e INDEXED BY idx_log_entries_timestamp CROSS JOIN documents AS d ON d.id = e.document_id
    WHERE (e.timestamp, e.document_id) < (?, ?) AND {condition}
    ORDER BY e.timestamp DESC, e.document_id DESC LIMIT ?
"""


class _Filter(NamedTuple):
    """A condition on `log_entries AS e` that every matching document satisfies, and its arguments."""

    sql: str
    arguments: tuple[str | int, ...] = ()


class Search:
    """Opened on a file that exists. Raises StoreMissing, StoreNewer, StoreOlder, StoreDamaged, StoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection = open_reader(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def documents(self, query: Query, limit: int | None = None) -> Iterator[dict[str, Json]]:
        """At most `limit` matching documents, newest first by event time."""
        with explained(self._path):
            candidates = map(orjson.loads, self._candidates(required(query.tree)))
            yield from islice(filter(query.predicate, candidates), limit)

    def count(self, query: Query) -> int:
        """How many documents match."""
        if _is_everything(query.tree):
            with explained(self._path):
                return int(self._connection.execute("SELECT count(*) FROM log_entries").fetchone()[0])
        return sum(1 for _ in self.documents(query))

    def _candidates(self, need: Required) -> Iterator[str]:
        """Bodies of all documents that may match, newest first."""
        filters = _filters(need)
        words = match_expression(need.terms)
        sets = [_Filter(f"log_entries AS e WHERE {one.sql}", one.arguments) for one in filters]
        if words:
            sets.insert(0, _Filter(_OF_BLOCKS, (BLOCK_BITS, BLOCK_BITS, words)))
        for rows in sets:
            if self._are_few(rows):
                return self._sorted(rows, filters)
        if words:
            filters.append(_Filter(_IN_BLOCKS, (BLOCK_BITS, words)))
        return self._walked(filters)

    def _are_few(self, rows: _Filter) -> bool:
        count = f"SELECT count(*) FROM (SELECT 1 FROM {rows.sql} LIMIT ?)"  # noqa: S608 - of constants
        return bool(self._connection.execute(count, (*rows.arguments, _FEW + 1)).fetchone()[0] <= _FEW)

    def _sorted(self, rows: _Filter, filters: list[_Filter]) -> Iterator[str]:
        """Few candidates: all their ids are collected and sorted, then their bodies read in pages."""
        condition = _all_of([rows, *filters])
        sql = f"SELECT e.document_id FROM {condition.sql} ORDER BY e.timestamp DESC, e.document_id DESC"  # noqa: S608 - of constants
        ids = [row[0] for row in self._connection.execute(sql, condition.arguments).fetchall()]
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            select = "SELECT id, body FROM documents WHERE id IN (SELECT value FROM json_each(?))"
            bodies = dict(self._connection.execute(select, (json.dumps(page),)))
            yield from (bodies[number] for number in page if number in bodies)

    def _walked(self, filters: list[_Filter]) -> Iterator[str]:
        """Many candidates: page by page down the index of timestamps."""
        condition = _all_of(filters or [_Filter("true")])
        sql = _WALK.format(condition=condition.sql)
        place: tuple[str, int] = ("~", 0)
        size = _PAGE
        while page := self._connection.execute(sql, (*place, *condition.arguments, size)).fetchall():
            yield from (row[2] for row in page)
            place, size = page[-1][:2], min(size * 2, _LONGEST_PAGE)


def _is_everything(tree: Node) -> bool:
    return isinstance(tree, Everything) or (isinstance(tree, Exists) and tree.field.path in _ALWAYS)


def _all_of(parts: list[_Filter]) -> _Filter:
    return _Filter(
        " AND ".join(part.sql for part in parts), tuple(chain.from_iterable(part.arguments for part in parts))
    )


def _filters(need: Required) -> list[_Filter]:
    """What the columns tell."""
    found = [
        _Filter(f"e.{column} IN (SELECT value FROM json_each(?))", (json.dumps(sorted(need.equals[field])),))  # noqa: S608 - of constants
        for field, column in _COLUMNS.items()
        if field in need.equals
    ]
    if need.after is not None:
        found.append(_Filter("e.timestamp >= ?", (need.after,)))
    if need.before is not None:
        found.append(_Filter("e.timestamp <= ?", (need.before,)))
    return found
