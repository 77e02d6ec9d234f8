"""Packed files: which stream a gzip file goes on with, found by the fingerprint of its inflated bytes."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from logintel.inputs.files.content import Content, open_content
from logintel.inputs.files.cursor import FileCursor, Inode
from logintel.inputs.files.discovery import Found
from logintel.inputs.files.fingerprint import HEAD, head_of
from logintel.inputs.files.gzipped import GzipContent, is_gzip
from logintel.inputs.files.pace import Pace
from logintel.inputs.files.parked import Heads, Parked
from logintel.inputs.files.registry import Registry
from logintel.inputs.files.stream import FileStream


@dataclass(slots=True)
class _Doubt:
    """What is known of a file that is not read. `like`: the stream whose copy it is; `whole`: and nothing more."""

    state: tuple[int, int]
    since: float
    like: str | None = None
    whole: bool = False


@dataclass(slots=True)
class PackedFiles:
    """Decides what compressed files are: the rest of a stream whose file is gone, a copy of one that is still there, or
    something new. Each is inflated at most once for that, away from the event loop.

    undecided  whether one that is still being written may be the rest of a missing stream
    """

    registry: Registry
    pace: Pace
    once: bool
    make: Callable[[Found, Content], FileStream]
    undecided: bool = False
    _doubts: dict[Inode, _Doubt] = field(default_factory=dict)

    def look(self, present: set[Inode]) -> None:
        """A new look begins, which saw these files; forget those that are gone."""
        self.undecided = False
        self._doubts = {inode: doubt for inode, doubt in self._doubts.items() if inode in present}

    def beside_missing(self) -> Iterator[Found]:
        """Compressed files, named or not, that may be what rotation made of a file that is gone."""
        for parked in self.registry.missing.values():
            for found in self.registry.siblings.beside(*parked.cursor.paths):
                if (
                    found.path.endswith(".gz")
                    and found.inode not in self.registry.packed
                    and is_gzip(head_of(found.path))
                ):
                    yield found

    def holds(self, stream: FileStream) -> bool:
        """Whether a compressed file beside the stream's begins as it does: rotation may have copied the rest there."""
        cursor = stream.cursor()
        return any(
            found.path.endswith(".gz") and cursor.print.size and cursor.print.begins(_inflated_head(found.path))
            for found in self.registry.siblings.beside(*cursor.paths)
        )

    async def identify(self, found: Found) -> FileStream | None:
        """The stream of the file, open in the registry if it is a known one's, else new; None: it is not to be read
        now. Raises OSError; FileNotFoundError also when another file has that name now."""
        state = (found.status.st_size, found.status.st_mtime_ns)
        doubt = self._doubts.get(found.inode)
        if doubt is None or doubt.state != state:
            doubt = self._doubts[found.inode] = _Doubt(state, _written(found))
        if self._waits(doubt):
            return None
        content = GzipContent(_opened(found))
        stream = None
        try:
            stream = await self._owner(found, content, doubt)
        finally:
            if stream is None:
                os.close(content.fd)
            else:
                self._doubts.pop(found.inode, None)
        return stream

    def _waits(self, doubt: _Doubt) -> bool:
        """Whether looking into it would tell no more than it did."""
        if doubt.like is not None and doubt.like not in self.registry.missing:
            return doubt.whole or (not self.once and time.monotonic() - doubt.since < self.pace.copying)
        fresh = not self.once and time.monotonic() - doubt.since < self.pace.settle
        self.undecided |= fresh
        return fresh

    async def _owner(self, found: Found, content: GzipContent, doubt: _Doubt) -> FileStream | None:
        patient = not self.once and time.monotonic() - doubt.since < self.pace.copying
        alike = sorted(self._alike(content.at(0, HEAD)), key=lambda parked: parked.cursor.print.offset)
        owner = await _owner_of(content, alike)
        if owner is not None and self._is_gone(owner, found):
            stream = self.make(found, content)
            stream.resume(owner.name, owner.cursor)
            self.registry.take(owner, stream)
            return stream
        if owner is not None:
            doubt.like, doubt.whole = owner.name, self._is_whole(content, owner.cursor)
            if patient or doubt.whole:
                return None
        elif patient and not content.ended and not content.problem and any(self._is_gone(p, found) for p in alike):
            self.undecided = True  # half-written: what was read may still come
            return None
        return self.make(found, content) if found.named else None

    def _is_gone(self, parked: Parked, found: Found) -> bool:
        """Whether the stream has no file but this."""
        return parked.name in self.registry.missing or parked.cursor.inode == found.inode

    def _is_whole(self, content: GzipContent, cursor: FileCursor) -> bool:
        """Whether all that it holds was read, and is enough to say that it is no other file that begins alike."""
        offset = cursor.print.offset
        return offset >= HEAD and not content.at(offset, 1) and content.ended

    def _alike(self, head: bytes) -> Iterator[Parked]:
        known = self.registry
        streams = [Parked(stream.name, stream.cursor()) for stream in known.open.values()]
        return Heads.of([*known.parked.values(), *streams]).like(head)


async def _owner_of(content: GzipContent, alike: Sequence[Parked]) -> Parked | None:
    """The stream that the file goes on with, of those whose file begins alike, by rising offset: one pass tells."""
    checking = asyncio.ensure_future(asyncio.to_thread(lambda: [p for p in alike if p.cursor.fits(content)]))
    try:
        return next(reversed(await asyncio.shield(checking)), None)
    finally:
        content.abandoned = not checking.done()
        with suppress(OSError):
            await checking  # cancelled: the thread must not use the file any more


def _opened(found: Found) -> int:
    fd = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
    status = os.fstat(fd)
    if (status.st_dev, status.st_ino) != found.inode:
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "renamed meanwhile", found.path)
    return fd


def _inflated_head(path: str) -> bytes:
    try:
        content = open_content(path)
    except OSError:
        return b""
    try:
        return content.at(0, HEAD) if content.packed else b""
    finally:
        os.close(content.fd)


def _written(found: Found) -> float:
    """When the file was last written to, by the monotonic clock; now, when that lies in the future."""
    return time.monotonic() - max(0.0, time.time() - found.status.st_mtime)
