"""The embedded data: a data directory of `logintel run`, locked while it is read. Nothing in it is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from logintel.dead_letter import DeadLetter
from logintel.locking import DirectoryLock, DirectoryLocked
from logintel.refused import Refused
from logintel_collector.alert import Alert
from logintel_collector.stores.errors import explained
from logintel_collector.stores.sqlite_alerts import latest_alerts
from logintel_collector.stores.sqlite_apply import LETTER_COLUMNS, READER
from logintel_collector.stores.sqlite_file import open_reader

#: Documents, rows or letters that are in memory at once.
PAGE: Final = 2000


class Embedded:
    """What the SQLite file of `data` holds. Opened with `opened`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def documents(self) -> Iterator[list[bytes]]:
        """The Elasticsearch documents as JSON, in the order in which they came."""
        for page in self._pages("SELECT body FROM documents ORDER BY id"):
            yield [row[0].encode() for row in page]

    def rows(self, table: str) -> Iterator[list[dict[str, Any]]]:
        """The rows of a table as they are stored."""
        cursor = self._connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - from our list of tables
        names = [column[0] for column in cursor.description]
        while page := cursor.fetchmany(PAGE):
            yield [dict(zip(names, row, strict=True)) for row in page]

    def dead_letters(self) -> Iterator[list[DeadLetter]]:
        """What could not be stored."""
        for page in self._pages(f"SELECT {', '.join(LETTER_COLUMNS)} FROM dead_letters WHERE dropped_at IS NULL"):  # noqa: S608 - ours
            yield [DeadLetter(*row) for row in page]

    def alerts(self) -> list[Alert]:
        """All of them."""
        return latest_alerts(self._connection, status=None, limit=None)

    def positions(self) -> dict[bytes, bytes]:
        """The repeat map: stream → last seq that is stored."""
        return dict(self._connection.execute("SELECT stream, seq FROM stream_positions"))

    def offset(self) -> int:
        """Offset of the last record of the bus that is stored; 0: nothing is."""
        row = self._connection.execute("SELECT position FROM bus_offsets WHERE reader = ?", (READER,)).fetchone()
        return int(row[0]) if row else 0

    def _pages(self, query: str) -> Iterator[Sequence[Any]]:
        cursor = self._connection.execute(query)
        while page := cursor.fetchmany(PAGE):
            yield page


@contextmanager
def opened(data: Path, store: Path) -> Iterator[Embedded]:
    """The data of directory `data`, whose SQLite file is `store`. Raises Refused where it cannot be used."""
    if not store.is_file():
        raise Refused(f"{store}: there is no data of `logintel run`: name its data directory with --data")
    try:
        lock = DirectoryLock(data)
    except DirectoryLocked as error:
        raise Refused(f"{data} is in use (process {error.pid}): stop `logintel run` first, for good") from error
    try:
        with explained(store), closing(open_reader(store)) as connection:
            yield Embedded(connection)
    finally:
        lock.release()
