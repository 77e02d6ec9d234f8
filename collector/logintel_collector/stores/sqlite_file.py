"""The SQLite file: how it is opened, and how it is brought to this version's tables."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from logintel_collector.stores.errors import StoreMissing, StoreNewer, StoreOlder, explained
from logintel_collector.stores.migrations import migrations

#: The file's name inside a data directory.
FILE_NAME: Final = "logintel.sqlite"
#: Seconds that a writer waits for another one (a `logintel alerts` command) before it gives up.
_BUSY_TIMEOUT: Final = 10.0
_IMMUTABLE: Final = "&immutable=1"
#: synchronous=FULL: one fsync per commit. With NORMAL a power cut would lose the last commits; the bus could replay
#: them, but only while no segment above the last fsync is deleted, and people would be told twice. The fsync buys that
#: an offset which `apply` has stored is durable, without a second book-keeping.
#: auto_vacuum: free pages can be given back (sqlite_retention); only a file without tables can begin with it.
#: wal_autocheckpoint: 32 MiB instead of 4: the hot pages of indexes are copied back once per many batches.
_WRITER: Final = (
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 8192",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = FAST",
)


def open_writer(path: Path) -> sqlite3.Connection:
    """The file, made and migrated as needed, for the one thread that writes. Raises StoreError or OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained(path):
        # Any thread may close it; only one uses it at a time.
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _WRITER:
                connection.execute(pragma)
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """The file for reading, also while another process writes. Raises StoreMissing or another StoreError."""
    if not path.is_file():
        raise StoreMissing(
            f"{path}: there is no data yet: make some with `logintel run --once --data {path.parent} PATH`"
        )
    with explained(path):
        uri = f"{path.absolute().as_uri()}?mode=ro{_IMMUTABLE if _never_changes(path) else ''}"
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None)
        try:
            _require_current(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _never_changes(path: Path) -> bool:
    """Whether the file system is read-only and all is in the file: SQLite needs not make files for locks beside it."""
    journal = path.with_name(f"{path.name}-wal")
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY) and not (journal.exists() and journal.stat().st_size)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing: commits at the end, rolls back on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the steps that are missing, each in a transaction of its own. Raises StoreNewer."""
    steps = migrations("sqlite")
    if (version := _version(connection)) > steps[-1].version:
        raise _newer(path, version, steps[-1].version)
    for step in steps:
        if step.version > version:
            with transaction(connection):
                for statement in _statements(step.sql):
                    connection.execute(statement)
                connection.execute("INSERT INTO schema_migrations (version, name) VALUES (?, ?)", step[:2])


def _require_current(connection: sqlite3.Connection, path: Path) -> None:
    version, known = _version(connection), migrations("sqlite")[-1].version
    if version > known:
        raise _newer(path, version, known)
    if version < known:
        raise StoreOlder(
            f"{path}: has tables of version {version}, this logintel reads {known}: "
            f"`logintel run --data {path.parent}` brings it up to date"
        )


def _newer(path: Path, version: int, known: int) -> StoreNewer:
    return StoreNewer(
        f"{path}: has tables of version {version}, this logintel knows {known}: "
        "install the newer logintel again, or name another directory with --data"
    )


def _version(connection: sqlite3.Connection) -> int:
    """The last step that was applied; 0 for a new file."""
    known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'").fetchone()
    if not known:
        return 0
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: `executescript` would commit the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
