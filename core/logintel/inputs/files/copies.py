"""Copies: new files that begin as a known one does and may be what copytruncate is just making of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from logintel.inputs.files.content import Content, PlainContent
from logintel.inputs.files.cursor import FileCursor, Inode
from logintel.inputs.files.discovery import Found
from logintel.inputs.files.registry import Registry
from logintel.inputs.files.siblings import stem
from logintel.inputs.files.stream import FileStream


@dataclass(slots=True)
class Copies:
    """Lets a file that looks like a copy of another wait for `patience` seconds: when the other is truncated, it is the
    place where that goes on."""

    registry: Registry
    patience: float
    _since: dict[Inode, float] = field(default_factory=dict)
    _asked: set[Inode] = field(default_factory=set)
    _by_stem: dict[str, list[FileStream | FileCursor]] | None = None

    def look(self) -> None:
        """A new look begins: what was known of the streams may have changed. A file that nobody asked for in the last
        one waits no more: another may have its inode by now, whose time begins anew."""
        self._by_stem = None
        self._since = {inode: since for inode, since in self._since.items() if inode in self._asked}
        self._asked.clear()

    def add(self, stream: FileStream) -> None:
        """A stream that was opened in this look."""
        if self._by_stem is not None:
            self._by_stem.setdefault(stem(stream.path), []).append(stream)

    def waits(self, found: Found) -> bool:
        """Whether the file should not be read yet."""
        self._asked.add(found.inode)
        since = self._since.setdefault(found.inode, time.monotonic())
        waits = time.monotonic() - since < self.patience and any(
            _looks_like(found, original) for original in self._beside(found.path)
        )
        if not waits:
            del self._since[found.inode]
        return waits

    def _beside(self, path: str) -> Iterator[FileStream | FileCursor]:
        """The streams whose files' rotated siblings have names like this."""
        if self._by_stem is None:
            self._by_stem = {}
            for stream in self.registry.open.values():
                self._by_stem.setdefault(stem(stream.path), []).append(stream)
            for parked in self.registry.parked.values():
                self._by_stem.setdefault(stem(parked.cursor.path), []).append(parked.cursor)
        for end in range(len(os.path.dirname(path)), len(path)):
            if path[end].isalnum():
                continue  # 10.log is no copy of 1.log; 1.log.1, 1-20261125.log may be
            for original in self._by_stem.get(path[:end], ()):
                if original.path != path:
                    yield original


def _looks_like(found: Found, original: FileStream | FileCursor) -> bool:
    if isinstance(original, FileCursor):
        return bool(original.print.known) and _of(found, original.fits)
    size = min(len(original.head), found.status.st_size)
    return _of(found, lambda content: content.at(0, size) == original.head[:size])


def _of(found: Found, holds: Callable[[Content], bool]) -> bool:
    """What `holds` says of the open file; False when it is gone."""
    try:
        fd = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return holds(PlainContent(fd))
    finally:
        os.close(fd)
