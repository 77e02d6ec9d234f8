"""The registry of streams: which open or parked stream a file on disk belongs to, through rotation and restarts."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from logintel.inputs.files.cursor import Inode
from logintel.inputs.files.discovery import Found, listable
from logintel.inputs.files.fingerprint import HEAD, head_of
from logintel.inputs.files.gzipped import is_gzip
from logintel.inputs.files.parked import Heads, Parked
from logintel.inputs.files.siblings import Siblings
from logintel.inputs.files.stream import FileStream

#: Files held open at once; more wait their turn.
MAX_OPEN: Final = 256


@dataclass(slots=True)
class Registry:
    """Streams by name, open or parked. A stream is open at most once, and a file feeds at most one stream.

    waiting   files that have something to read, in the order in which they will be opened
    packed    compressed files whose stream must be found by inflating them
    missing   parked streams that were found in no file
    doubtful  whether a file turned out to be another one than `settle` took it for: settle again
    """

    opener: Callable[[Found], FileStream]
    open: dict[str, FileStream] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    waiting: deque[Found] = field(default_factory=deque)
    packed: dict[Inode, Found] = field(default_factory=dict)
    missing: dict[str, Parked] = field(default_factory=dict)
    doubtful: bool = False
    siblings: Siblings = field(default_factory=Siblings)
    _places: dict[Inode, str] = field(default_factory=dict)
    _queued: set[Inode] = field(default_factory=set)
    _empty: set[Inode] = field(default_factory=set)

    @property
    def full(self) -> bool:
        """Whether no further file may be opened now."""
        return len(self.open) >= MAX_OPEN

    @property
    def inodes(self) -> set[Inode]:
        """Of the open files."""
        return {stream.inode for stream in self.open.values()}

    @property
    def folders(self) -> set[str]:
        """Where files lie that were found by symbolic links."""
        open_ = (stream.real for stream in self.open.values())
        parked = (parked.cursor.real for parked in self.parked.values())
        return {os.path.dirname(real) for real in (*open_, *parked) if real}

    def settle(self, files: Iterable[Found]) -> Iterator[Found]:
        """Match a scan's files with the streams that are known; yield the files that are new.

        A known inode must still hold what was read; a parked stream whose inode is gone or holds something else is
        looked for by content among the new files and the siblings that rotation left.
        """
        self.doubtful = False
        self.siblings = Siblings()
        self.packed.clear()
        self._empty.clear()
        self.missing = dict(self.parked)
        by_inode, opened = self._by_inode(), self.inodes
        strangers = [found for found in files if found.inode not in opened and not self._is_known(found, by_inode)]
        self.missing = {name: parked for name, parked in self.missing.items() if name in self.parked}
        for name, parked in self.parked.items():
            parked.missed = parked.missed + 1 if name in self.missing else 0
        yield from self._reunited(strangers)

    def written(self, files: Iterable[Found]) -> bool:
        """Files were written to: queue those of parked streams. True when one is new: it was empty until now."""
        opened, new = self.inodes, False
        for found in files:
            parked = self.parked.get(self._places.get(found.inode, ""))
            new = new or found.inode in self._empty
            if parked and found.inode not in opened and not parked.unchanged(found):
                self.enqueue(found)
        return new

    def admit(self) -> Iterator[Found]:
        """Open the files that wait, while there is room; yield those that are new."""
        opened = self.inodes if self.waiting else set()
        while self.waiting and not self.full:
            found = self.waiting.popleft()
            self._queued.discard(found.inode)
            parked = self.parked.get(self._places.get(found.inode, ""))
            if found.inode in opened:
                continue
            if parked is None:
                yield found
            elif not self._resume(parked, found, in_turn=True):
                self.doubtful = True

    def look_beside(self, present: set[Inode]) -> None:
        """Look for what is missing among the siblings that rotation left; `present`: the files that were found.

        Where even the directory is gone (an unmounted disk) or closed to us the stream waits, and where its file is
        still there but named no more (an `exclude` was added), it stays where it is.
        """
        taken = present | self.inodes
        for parked in list(self.missing.values()):
            there = listable(os.path.dirname(parked.cursor.path) or ".")
            if not there or _unnamed(parked, taken) or self._find_sibling(parked, taken):
                self.missing.pop(parked.name, None)

    def orphans(self, looks: int) -> Iterator[Parked]:
        """The streams that were missing in so many looks: nothing more will come of them. One look proves nothing: a
        directory that is listed while rotation renames what is in it may show a file nowhere."""
        for name, parked in list(self.missing.items()):
            if parked.missed >= looks:
                del self.missing[name]
                yield self.parked.pop(name)

    def move(self, stream: FileStream) -> bool:
        """After a truncation: go on with the copy that copytruncate made, where there is one."""
        self.siblings = Siblings()
        copy = Parked(stream.name, stream.cursor(), highest=stream.highest, grown=stream.grown)
        if not self._find_sibling(copy, self.inodes):
            return False
        os.close(stream.content.fd)
        return True

    def park(self, stream: FileStream, *, restless: bool = False) -> None:
        """Close a stream's file and keep its place. `restless`: there is more to do; it gets its next turn in order."""
        status = os.fstat(stream.content.fd)
        size = status.st_size if stream.content.packed else stream.reached  # what was written behind that is new
        self.parked[stream.name] = Parked(
            stream.name,
            stream.cursor(),
            None if restless else size,
            status.st_mtime_ns,
            stream.content.seen,
            bool(stream.open_record(partial_line=True)),
            stream.highest,
            stream.grown,
        )
        self._places[stream.inode] = stream.name
        self.forget(stream)
        if restless:
            self.enqueue(Found(stream.path, status))

    def close(self) -> None:
        """Close every open file."""
        for stream in list(self.open.values()):
            self.forget(stream)

    def forget(self, stream: FileStream) -> None:
        """Close a stream that has ended."""
        del self.open[stream.name]
        stream.close()

    def enqueue(self, found: Found) -> None:
        """Let a file wait for its turn."""
        if found.inode not in self._queued:
            self._queued.add(found.inode)
            self.waiting.append(found)

    def take(self, parked: Parked, stream: FileStream) -> None:
        """Go on with the parked stream in the open file in which `stream` resumed it."""
        stream.grown, stream.highest = parked.grown, parked.highest
        self.parked.pop(parked.name, None)
        self.missing.pop(parked.name, None)
        self.open[parked.name] = stream

    def _by_inode(self) -> dict[Inode, list[Parked]]:
        by_inode: dict[Inode, list[Parked]] = {}
        for parked in sorted(self.parked.values(), key=lambda parked: -parked.cursor.print.known):
            by_inode.setdefault(parked.cursor.inode, []).append(parked)  # each truncation of a file ended one
        return by_inode

    def _is_known(self, found: Found, by_inode: dict[Inode, list[Parked]]) -> bool:
        candidates = by_inode.get(found.inode, ())
        queued = self._places.get(found.inode) if found.inode in self._queued else None
        owner = next((parked for parked in candidates if parked.name == queued or parked.unchanged(found)), None)
        owner = owner or next((parked for parked in candidates if self._resume(parked, found)), None)
        if owner is None:
            return False
        owner.seen = found.status.st_size
        self.missing.pop(owner.name, None)
        self._places[found.inode] = owner.name
        return True

    def _reunited(self, strangers: Iterable[Found]) -> Iterator[Found]:
        """The files that are no missing stream's; what is compressed is put aside."""
        heads = Heads.of(self.missing.values())
        for found in strangers:
            if not found.status.st_size:
                self._empty.add(found.inode)
            if found.inode in self._queued or not found.status.st_size:
                continue
            head = head_of(found.path)
            if is_gzip(head):
                self.packed[found.inode] = found
            elif not any(parked.name in self.missing and self._adopt(parked, found) for parked in heads.like(head)):
                yield found

    def _find_sibling(self, parked: Parked, taken: set[Inode]) -> bool:
        for found in self.siblings.beside(*parked.cursor.paths):
            if found.inode not in taken and self._adopt(parked, found):
                taken.add(found.inode)
                return True
        return False

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

    def _resume(self, parked: Parked, found: Found, *, in_turn: bool = False) -> bool:
        """Open the file for the stream, when it holds what was read. When it is not its turn, it waits for that."""
        try:
            stream = self.opener(found)
        except OSError:
            return False
        stream.resume(
            parked.name, parked.cursor
        )  # read first: what is truncated behind the check shows when reading on
        if stream.content.packed or not parked.cursor.fits(stream.content):
            stream.close()
            return False
        self.take(parked, stream)
        if os.fstat(stream.content.fd).st_size == stream.position:
            self.park(stream)
        elif not in_turn and (self.waiting or len(self.open) > MAX_OPEN):
            self.park(stream, restless=True)
        return True


def _unnamed(parked: Parked, present: set[Inode]) -> bool:
    """Whether its file is where it was and as it was, though no pattern names it now."""
    try:
        status = os.stat(parked.cursor.path)
    except OSError:
        return False
    inode = (status.st_dev, status.st_ino)
    return inode == parked.cursor.inode and inode not in present
