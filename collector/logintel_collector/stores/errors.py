"""What can go wrong with a store, each with what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logintel.refused import Refused

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_REFUSED = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class StoreError(Refused):
    """The store cannot do it; the message says what to do."""


class StoreFull(StoreError):
    """No room on the disk. Nothing of the transaction was kept: wait and call again."""


class StoreLocked(StoreError):
    """Another process writes to the file."""


class StoreDamaged(StoreError):
    """The file is no store of ours, or parts of it are broken."""


class StoreMissing(StoreError):
    """There is no store yet."""


class StoreNewer(StoreError):
    """The file was written by a later version of logintel."""


class StoreOlder(StoreError):
    """The file was written by an earlier version of logintel, and who only reads cannot migrate it."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, naming the file; those that only a mistake of ours can cause stay what they are."""
    try:
        yield
    except sqlite3.Error as error:
        if (explanation := _explain(path, error)) is None:
            raise
        raise explanation from error


def _explain(path: Path, error: sqlite3.Error) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    if code in _FULL:
        return StoreFull(f"{path}: no room on the disk ({error}): make room; nothing is lost meanwhile")
    if code & 0xFF in _LOCKED:
        return StoreLocked(f"{path}: in use by another process ({error}): stop it, or name another with --data")
    if code & 0xFF in _DAMAGED:
        return StoreDamaged(
            f"{path}: damaged or not a logintel store ({error}): move it aside, or save what can be read with "
            f"`sqlite3 {path} .recover`"
        )
    if code & 0xFF in _REFUSED:
        return StoreError(f"{path}: {error}: check that the disk works and that this user may write there")
    return None
