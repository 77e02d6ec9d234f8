"""The segment log: records on disk in order, under numbers that rise by one; the agent's spool and the embedded bus.

A directory of segments (see `segment`), and nothing else that could disagree with them. Numbers are given once: after a
crash, after damage and after a failed sync the log goes on above every number that anyone may have seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from logintel.batch import Full
from logintel.bus.damage import Damage
from logintel.bus.group_commit import GroupCommit
from logintel.bus.segment import MAX_PAYLOAD, encode, new_segment
from logintel.bus.segment_reader import SegmentReader
from logintel.bus.segment_recovery import recover
from logintel.bus.segment_writer import SegmentWriter
from logintel.bus.wakeup import Wakeup
from logintel.locking import DirectoryLock

SEGMENT_BYTES: Final = 64 * 1024 * 1024
#: A log has at least so many segments before it is full, so that deleting one makes room.
_SEGMENTS: Final = 8
_log = structlog.get_logger(__name__)


class LogFull(Full):
    """The disk did not take the records (no space, an I/O error). Nothing of them is kept: try again later."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Appended(NamedTuple):
    """The number of the first record, and a future that ends when all are on disk or raises LogFull."""

    first: int
    durable: asyncio.Future[None]


class SegmentLog:
    """One writer and any number of readers, in one process and one event loop.

    damage  what could not be read, of all readers
    grown   fires when there is more to read
    last    number of the last record appended
    syncs   how often the disk was asked to keep what it has
    """

    def __init__(self, directory: Path, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Opens or makes the log. Raises DirectoryLocked, and OSError when the directory cannot be used at all."""
        self._lock = DirectoryLock(directory)
        self.directory = directory
        self.damage = Damage()
        self.syncs = 0
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes // _SEGMENTS)
        try:
            self.segments = recover(directory)
        except OSError:
            self._lock.release()
            raise
        self.last = self._durable = max((segment.last for segment in self.segments), default=0)
        self._next = self.last + 1
        self._floor = 0
        self._writer: SegmentWriter | None = None
        self._unsynced: list[SegmentWriter] = []
        self._commit = GroupCommit(self._sync)
        self.grown = Wakeup()
        self._room = Wakeup()

    @property
    def held_bytes(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    def append(self, payloads: Sequence[bytes]) -> Appended:
        """Write the records behind all earlier ones.

        Raises Full while the log holds `max_bytes` or more, LogFull when the disk takes no more, ValueError for a
        payload over MAX_PAYLOAD. In each case none of the records is kept.
        """
        if max(map(len, payloads), default=0) > MAX_PAYLOAD:
            raise ValueError(f"a record of {max(map(len, payloads))} bytes is over the limit of {MAX_PAYLOAD}")
        if self._writer is not None and self._writer.segment.size >= self._segment_bytes:
            self._seal()
            self._delete_released()
        if self.held_bytes >= self._max_bytes:
            raise Full(f"{self.directory} holds {self.held_bytes} bytes, its bound is {self._max_bytes}")
        first, last = self._next, self._next + len(payloads) - 1
        try:
            writer = self._writer or self._open_segment()
            block = encode(payloads, first, writer.segment.seed)
            writer.write(block, last)
        except OSError as error:
            if self._writer is not None and self._writer.torn:
                self._next = last + 1  # what is left of the block may be read after a restart
                self._seal()
            raise LogFull(self.directory, error.strerror or str(error)) from error
        self._next, self.last = last + 1, last
        return Appended(first, self._commit.join(len(block)))

    async def room(self) -> None:
        """Return when segments were deleted."""
        await self._room.wait()

    def reader(self, after: int) -> SegmentReader:
        """A reader of the records above `after`. Numbers up to it are never given again."""
        self._next = max(self._next, after + 1)
        return SegmentReader(self.segments, self.grown, self.damage, after)

    def delete_below(self, number: int) -> None:
        """Delete the segments whose records are all below `number`."""
        self._floor = max(self._floor, number)
        self._delete_released()

    async def close(self) -> None:
        """Sync what is written and let others open the log."""
        await self._commit.drain()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._lock.release()

    def _open_segment(self) -> SegmentWriter:
        segment = new_segment(self.directory, self._next)
        self._writer = writer = SegmentWriter(segment, unused=self._next - 1 - self.last)
        self.segments.append(segment)
        self._unsynced.append(writer)
        return writer

    def _seal(self) -> None:
        assert self._writer is not None
        writer, self._writer = self._writer, None
        writer.segment.sealed = True
        if writer.segment.complete:
            self._retire(writer)
        self.grown.fire()

    def _retire(self, writer: SegmentWriter) -> None:
        writer.close()
        self._unsynced.remove(writer)

    def _delete_released(self) -> None:
        """Delete finished segments below the floor. One is always left, since its name keeps the numbers rising."""
        released = list(takewhile(lambda segment: segment.complete and segment.last < self._floor, self.segments))
        try:
            if released and len(released) == len(self.segments):
                if self.last < released[-1].base:
                    released.pop()  # an empty one will do
                else:
                    self._open_segment()
            for segment in released:
                segment.path.unlink(missing_ok=True)
                self.segments.remove(segment)
                self._room.fire()
        except OSError as error:
            _log.error("segment_not_deleted", path=str(self.directory), reason=error.strerror)

    async def _sync(self) -> None:
        """Put on disk what is written by now; on an error take back what was not there before. Raises LogFull."""
        changed = [writer for writer in self._unsynced if writer.segment.size > writer.segment.durable]
        covered = [(writer, writer.segment.size, writer.last) for writer in changed]
        self.syncs += 1
        try:
            for writer, size, _ in covered:
                await asyncio.to_thread(writer.sync, size)
        except OSError as error:
            self._abandon()
            _log.error("segment_sync_failed", path=str(self.directory), reason=error.strerror)
            raise LogFull(self.directory, error.strerror or str(error)) from error
        for writer, size, last in covered:
            writer.segment.durable, writer.segment.last = size, last
            self._durable = last
            if writer.segment.complete:
                self._retire(writer)
        self._delete_released()
        self.grown.fire()

    def _abandon(self) -> None:
        """Drop every record that is not on disk, with its segment; what follows goes to a new one."""
        for writer in self._unsynced:
            writer.abandon()
        self._unsynced.clear()
        self._writer = None
        self.last = self._durable
        self.grown.fire()
