"""Parked streams: those whose file is closed, with what tells whether it changed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from logintel.inputs.files.cursor import FileCursor, Inode
from logintel.inputs.files.discovery import Found, at
from logintel.inputs.files.fingerprint import digest


@dataclass(slots=True)
class Parked:
    """A stream whose file is closed.

    size, modified  of the file (modified in ns) when it was closed; None: look inside
    seen            bytes that the file was last known to have; None: nobody can tell
    partial         whether a last line waits for its end
    highest, grown  as of the stream
    """

    name: str
    cursor: FileCursor
    size: int | None = None
    modified: int | None = None
    seen: int | None = None
    partial: bool = False
    highest: int = 0
    grown: float = 0.0

    @classmethod
    def saved(cls, name: str, cursor: FileCursor) -> Parked:
        """As an earlier run left it."""
        size, modified = cursor.done or (None, None)
        return cls(name, cursor, size, modified)

    def unchanged(self, found: Found) -> bool:
        """Whether the file is as it was when it was closed, and there is nothing to do but wait for more."""
        if self.partial and is_moved(self.cursor.path, self.cursor.inode):
            return False
        return found.status.st_size == self.size and found.status.st_mtime_ns == self.modified


def is_moved(path: str, inode: Inode) -> bool:
    """Whether another file, or none, is at `path` now: rotation took it away, and its last line ends where it ends."""
    found = at(path)
    return found is None or found.inode != inode


@dataclass(slots=True)
class Heads:
    """Streams by how their file begins: finds those that a file may belong to without a look at each."""

    _by_size: dict[int, dict[str, list[Parked]]] = field(default_factory=dict)

    @classmethod
    def of(cls, streams: Iterable[Parked]) -> Heads:
        """An index of these streams."""
        heads = cls()
        for parked in streams:
            known = parked.cursor.print
            heads._by_size.setdefault(known.size, defaultdict(list))[known.head].append(parked)
        return heads

    def like(self, head: bytes) -> Iterator[Parked]:
        """The streams whose file began as `head` does, those of which most is known first."""
        found = [
            parked
            for size, by_head in self._by_size.items()
            if 0 < size <= len(head)
            for parked in by_head.get(digest(head[:size]), ())
        ]
        yield from sorted(found, key=lambda parked: -parked.cursor.print.known)
