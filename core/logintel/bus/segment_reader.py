"""The reader of the segment log: every intact record once, in order, as far as it is on disk; then it waits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from logintel.bus.damage import Damage
from logintel.bus.segment import HEADER_BYTES, Entry, Segment, decode, decode_header
from logintel.bus.wakeup import Wakeup

#: Bytes read at once; with the largest record, all that a reader holds.
_BLOCK: Final = 256 * 1024


class Chunk(NamedTuple):
    """Records of one segment, in order; `ended` when it has no more and never will."""

    segment: Segment
    entries: Sequence[Entry]
    ended: bool


class SegmentReader:
    """Follows `segments`, the log's own list, behind number `after`. A cancelled `read` loses nothing."""

    def __init__(self, segments: list[Segment], grown: Wakeup, damage: Damage, after: int) -> None:
        self.damage = damage
        #: No intact record up to this number is still to come.
        self.position = after
        self._segments, self._grown = segments, grown
        self._after = self._accounted = after
        self._current: Segment | None = None
        self._previous: Segment | None = None
        self._fd = -1
        self._offset = 0
        self._last = 0
        self._rest = b""
        self._skipped = 0
        self._ready: Sequence[Entry] = ()
        self._taken = 0

    async def read(self, limit: int) -> Chunk:
        """At most `limit` records, or the end of a segment; waits until there is one of the two."""
        while (chunk := self.look(limit)) is None:
            await self._grown.wait()
        return chunk

    def look(self, limit: int) -> Chunk | None:
        """The same without waiting: None while there is nothing."""
        while self._taken >= len(self._ready):
            current = self._current or self._open_next()
            if current is None:
                return None
            if self._offset < current.durable:
                self._load(current)
            elif self._rest and current.complete:
                self._accept(current, self._rest, final=True)
            elif current.complete:
                self._finish(current)
                return Chunk(current, (), ended=True)
            else:
                self.position = max(self.position, current.last)
                return None
        return self._take(limit)

    def unread(self) -> int:
        """Bytes on disk that are still to be read."""
        current = self._current
        if current is None:
            return sum(segment.durable for segment in self._segments if segment.last > self.position)
        return sum(s.durable for s in self._segments if s.base > current.base) + max(0, current.durable - self._offset)

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _take(self, limit: int) -> Chunk:
        assert self._current is not None
        entries = self._ready[self._taken : self._taken + limit]
        self._taken += len(entries)
        self.position = entries[-1][0]
        return Chunk(self._current, entries, ended=False)

    def _open_next(self) -> Segment | None:
        following = _behind(self._segments, self._previous)
        while len(following) > 1 and following[0].complete and following[0].last <= self._after:
            del following[0]  # all of it lies before the place we start from
        if not following:
            return None
        self._current = current = following[0]
        self._offset, self._last = 0, current.base - 1
        try:
            self._fd = os.open(current.path, os.O_RDONLY)
        except OSError:
            self._offset = current.durable
            self._skipped = current.durable
        return current

    def _load(self, current: Segment) -> None:
        """Read one more block: at least as long as what waits for its end, so that a long record costs no more."""
        size = min(max(_BLOCK, len(self._rest)), current.durable - self._offset)
        try:
            data = os.pread(self._fd, size, self._offset)
        except OSError:
            self._skipped += size + len(self._rest)
            self._offset += size
            self._rest = b""
            return
        if not data:  # shorter than it was
            self._offset = current.durable
            return
        unused = decode_header(current, data) if self._offset == 0 else None
        self._offset += len(data)
        if unused is not None:
            self._accounted = max(self._accounted, min(self._accounted + unused, current.base - 1))
            data = data[HEADER_BYTES:]
        self._accept(current, self._rest + data, final=False)

    def _accept(self, current: Segment, data: bytes, *, final: bool) -> None:
        """Make the records in `data` ready, and count what is missing before and between them."""
        scan = decode(data, current.seed, self._last, final=final)
        entries = scan.entries
        self._rest = data[scan.used :]
        if scan.gaps:
            self._skipped += scan.skipped
        if not entries:
            return
        self._last = entries[-1][0]
        if entries[0][0] <= self._after:
            entries = [entry for entry in entries if entry[0] > self._after]
        if entries:
            missing = max(0, self._last - self._accounted - len(entries))
            if missing or (self._skipped and entries[0][0] > self._after + 1):
                self.damage.note(current.path, self._offset, self._skipped, missing)
            self._accounted = self._last
            self._ready, self._taken = entries, 0
        self._skipped = 0

    def _finish(self, current: Segment) -> None:
        if self._skipped:
            self.damage.note(current.path, self._offset, self._skipped, 0)
            self._skipped = 0
        self.close()
        self.position = max(self.position, current.last)
        self._previous, self._current = current, None


def _behind(segments: list[Segment], previous: Segment | None) -> list[Segment]:
    """The segments that follow `previous`, which may have been deleted."""
    if previous is None:
        return list(segments)
    if previous in segments:
        return segments[segments.index(previous) + 1 :]
    return [segment for segment in segments if segment.base > previous.last]
