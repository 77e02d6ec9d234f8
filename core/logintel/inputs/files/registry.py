"""The registry of streams: which open or parked stream a file on disk belongs to, through rotation and restarts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from logintel.inputs.files.discovery import Found, siblings
from logintel.inputs.files.fingerprint import HEAD
from logintel.inputs.files.stream import FileCursor, FileStream

#: Files held open at once; more wait their turn.
MAX_OPEN: Final = 256

Inode = tuple[int, int]


@dataclass(slots=True)
class Parked:
    """A stream whose file is closed. `size` and `modified` (ns) tell whether it grew since; None: look inside."""

    name: str
    cursor: FileCursor
    size: int | None = None
    modified: int | None = None

    def unchanged(self, found: Found) -> bool:
        """Whether the file is as it was when it was closed."""
        return found.status.st_size == self.size and found.status.st_mtime_ns == self.modified


@dataclass(slots=True)
class Registry:
    """Streams by name, open or parked. A stream is open at most once, and a file feeds at most one stream.

    deferred  whether the last `settle` left files for later because too many were open
    missing   parked streams that the last `settle` found in no file
    """

    opener: Callable[[Found], FileStream]
    open: dict[str, FileStream] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    deferred: bool = False
    missing: list[Parked] = field(default_factory=list)

    def settle(self, files: Iterable[Found]) -> Iterator[Found]:
        """Match a scan's files with the streams that are known; yield the files that are new.

        A known inode must still hold what was read; a parked stream whose inode is gone or holds something else is
        looked for by content among the new files and the siblings that rotation left.
        """
        self.deferred = False
        seen = {stream.inode for stream in self.open.values()}
        strangers: list[Found] = []
        missing = sorted(self.parked.values(), key=lambda parked: -parked.cursor.print.known)
        by_inode: dict[Inode, list[Parked]] = {}
        for parked in missing:  # several streams may have had an inode: each truncation ended one
            by_inode.setdefault(parked.cursor.inode, []).append(parked)
        for found in files:
            if found.inode in seen:
                continue
            owner = next((parked for parked in by_inode.get(found.inode, ()) if self._still(parked, found)), None)
            if owner:
                missing.remove(owner)
            else:
                strangers.append(found)
        for parked in missing:
            strangers = [found for found in strangers if not self._adopt(parked, found)]
        self.missing = [parked for parked in missing if parked.name in self.parked]
        for found in strangers:
            if self.full:
                self.deferred = True
                return
            yield found

    def orphans(self, present: set[Inode]) -> Iterator[Parked]:
        """Missing streams that none of their siblings holds either: nothing more will come of them.

        Where even the directory is gone (an unmounted disk) the stream waits.
        """
        taken = present | {stream.inode for stream in self.open.values()}
        for parked in self.missing:
            if os.path.isdir(os.path.dirname(parked.cursor.path) or ".") and not self._find_sibling(parked, taken):
                del self.parked[parked.name]
                yield parked

    def move(self, stream: FileStream) -> bool:
        """After a truncation: go on with the copy that copytruncate made, where there is one."""
        taken = {other.inode for other in self.open.values()}
        if not self._find_sibling(Parked(stream.name, stream.cursor()), taken):
            return False
        stream.close()
        return True

    def park(self, stream: FileStream) -> None:
        """Close a stream's file and keep its place."""
        status = os.fstat(stream.fd)
        self.parked[stream.name] = Parked(stream.name, stream.cursor(), status.st_size, status.st_mtime_ns)
        self.forget(stream)

    def close(self) -> None:
        """Close every open file."""
        for stream in list(self.open.values()):
            self.forget(stream)

    def forget(self, stream: FileStream) -> None:
        """Close a stream that has ended."""
        del self.open[stream.name]
        stream.close()

    def copied(self, found: Found) -> bool:
        """Whether the file looks like a copy, whole or in the making, that copytruncate makes of a known file."""
        return any(
            _beside(found.path, stream.path) and _same_head(found, stream.head) for stream in self.open.values()
        ) or any(
            _beside(found.path, parked.cursor.path) and _holds(found, parked.cursor) for parked in self.parked.values()
        )

    def _still(self, parked: Parked, found: Found) -> bool:
        if parked.unchanged(found):
            return True
        if self.full:
            self.deferred = True
            return True
        return self._resume(parked, found)

    @property
    def full(self) -> bool:
        """Whether no further file may be opened now."""
        return len(self.open) >= MAX_OPEN

    def _find_sibling(self, parked: Parked, taken: set[Inode]) -> bool:
        return any(self._adopt(parked, found) for found in siblings(parked.cursor.path) if found.inode not in taken)

    def _adopt(self, parked: Parked, found: Found) -> bool:
        """Take the file for the stream's, by what it holds. A few bytes at the same path prove nothing (a log that
        always starts alike): then the file is new, since reading twice is better than not at all."""
        renamed = found.inode == parked.cursor.inode
        cursor = parked.cursor
        if not renamed and cursor.print.known < (HEAD if found.path == cursor.path else 1):
            return False
        if renamed and parked.unchanged(found):
            return True
        return self._resume(parked, found)

    def _resume(self, parked: Parked, found: Found) -> bool:
        try:
            stream = self.opener(found)
        except OSError:
            return False
        if not parked.cursor.fits(stream.fd):
            stream.close()
            return False
        stream.resume(parked.name, parked.cursor)
        self.parked.pop(parked.name, None)
        self.open[parked.name] = stream
        if os.fstat(stream.fd).st_size == stream.position:
            self.park(stream)
        return True


def _beside(path: str, original: str) -> bool:
    return path != original and path.startswith(os.path.splitext(original)[0])


def _same_head(found: Found, head: bytes) -> bool:
    size = min(len(head), found.status.st_size)
    return _of(found, lambda fd: os.pread(fd, size, 0) == head[:size])


def _holds(found: Found, cursor: FileCursor) -> bool:
    return bool(cursor.print.known) and _of(found, cursor.fits)


def _of(found: Found, holds: Callable[[int], bool]) -> bool:
    """What `holds` says of the open file; False when it is gone."""
    try:
        fd = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return holds(fd)
    finally:
        os.close(fd)
