"""The spool: keeps what is pushed to us on disk before the sender is answered, and is a replayable source of it.

Each segment of its log is one stream, named by the segment's random id; an event's position is its number in the log. A
restart goes on in a new segment, so no position of a stream is ever used twice, whatever became of the directory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from logintel.batch import Batch, Cursor, Full
from logintel.bus.damage import Damage
from logintel.bus.segment import Entry, Segment
from logintel.bus.segment_log import SegmentLog
from logintel.bus.segment_writer import sync_directory
from logintel.event import Event
from logintel_agent.spool_event import decode, encode

#: Most events of a batch; its bytes are bounded by what the log's reader holds.
_BATCH: Final = 500
_FULL_EFFECT: Final = "senders wait: it goes on when there is room, on the disk or because the bus has taken something"
_log = structlog.get_logger(__name__)


class Spool:
    """`accept` fills it, `batches` and `committed` empty it as those of a source do.

    dropped     events that were dropped, by reason
    unreadable  intact records that are no event of a version we know: skipped, and gone with their segment
    """

    def __init__(self, directory: Path, max_bytes: int, *, drop_newest: bool = False) -> None:
        """Opens or makes the directory. Raises DirectoryLocked, or OSError when it cannot be used.

        `drop_newest`: what there is no room for is dropped and counted, instead of refused.
        """
        self._spooled = SegmentLog(directory, max_bytes)
        self._drop_newest = drop_newest
        self._finished = self._full = False
        self._delivered: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._gone: list[tuple[str, int]] = []
        self.dropped: Counter[str] = Counter()
        self.unreadable = 0

    @property
    def damage(self) -> Damage:
        """What could not be read since the start."""
        return self._spooled.damage

    @property
    def held_bytes(self) -> int:
        """Bytes on disk."""
        return self._spooled.held_bytes

    @property
    def syncs(self) -> int:
        """How often the disk was synced: many `accept` share one."""
        return self._spooled.syncs

    async def accept(self, events: Sequence[Event]) -> None:
        """Return when the events are on disk.

        Raises Full when there is no room (LogFull: the disk took nothing), ValueError for an event over 16 MiB;
        none of the events is kept then. Cancelled, it may have kept them. An event that states no time gets that of
        its arrival: the time of the one before it would be another sender's.
        """
        if not events:
            return
        _stamp(events)
        try:
            await self._spooled.append([encode(event) for event in events]).durable
        except Full as error:
            if not self._drop_newest:
                self._say_full(error)
                raise
            self._drop(len(events), error)
        else:
            if self._full:
                self._full = False
                _log.info("spool_has_room", path=str(self._spooled.directory))

    def finish(self) -> None:
        """Nothing more will be accepted: `batches` ends behind what is there."""
        self._finished = True
        self._spooled.grown.fire()

    async def batches(self, cursors: Mapping[str, Cursor], *, once: bool = False) -> AsyncGenerator[Batch, None]:
        """What is on disk behind `cursors`, oldest first; then, but for `once`, what comes until `finish`. Call it once
        at a time."""
        self._delivered = {stream: cursor for stream, cursor in cursors.items() if isinstance(cursor, int)}
        self._ends = {}
        held = {_stream(segment) for segment in self._spooled.segments}
        self._gone = [(stream, cursor) for stream, cursor in self._delivered.items() if stream not in held]
        start = self._spooled.segments[0].base - 1 if self._spooled.segments else self._spooled.last
        read_to = dict(self._delivered)
        with closing(self._spooled.reader(start)) as reader:
            while True:
                while self._gone:
                    stream, cursor = self._gone.pop()
                    yield Batch((), cursor, stream, ended=True)
                chunk = reader.look(_BATCH)
                if chunk is None and (once or self._finished):
                    return
                if chunk is None:
                    await self._spooled.grown.wait()
                    continue
                segment, entries, ended = chunk
                stream = _stream(segment)
                done = read_to.get(stream, 0)
                fresh = [entry for entry in entries if entry[0] > done]
                if fresh:
                    read_to[stream] = fresh[-1][0]
                    yield self._batch(stream, fresh)
                if ended:
                    self._ends[stream] = read_to.pop(stream, 0)
                    await self._delete_delivered()

    async def committed(self, stream: str, cursor: Cursor) -> None:
        """The stream is delivered up to `cursor` and that is saved: delete the segments that are done with.

        A stream is reported as ended only after its segment is gone: a cursor that is forgotten earlier would have the
        segment sent again, as something new, by a start in between.
        """
        if isinstance(cursor, int):
            self._delivered[stream] = cursor
            await self._delete_delivered()

    async def close(self) -> None:
        """Sync what was accepted and let others open the directory."""
        await self._spooled.close()

    def _say_full(self, full: Full) -> None:
        if not self._full:
            self._full = True
            _log.warning("spool_full", reason=str(full), effect=_FULL_EFFECT)

    def _drop(self, count: int, full: Full) -> None:
        before = self.dropped["spool_full"]
        self.dropped["spool_full"] = before + count
        if before.bit_length() != (before + count).bit_length():  # told when the number has doubled
            _log.error("events_dropped", reason="spool_full", total=before + count, detail=str(full))

    def _batch(self, stream: str, entries: Sequence[Entry]) -> Batch:
        events, spans = [], []
        for number, payload in entries:
            try:
                events.append(decode(payload))
            except ValueError as error:
                self.unreadable += 1
                _log.error("spooled_event_unreadable", stream=stream, number=number, reason=str(error))
            else:
                spans.append((number - 1, number))
        return Batch(events, entries[-1][0], stream, spans)

    async def _delete_delivered(self) -> None:
        """Delete the oldest segments as far as each was read to its end and all of that was delivered."""
        before = {segment.id: segment for segment in self._spooled.segments}
        for segment in list(self._spooled.segments):
            stream = _stream(segment)
            if stream not in self._ends or self._delivered.get(stream, 0) < self._ends[stream]:
                break
            self._spooled.delete_below(segment.last + 1)
        for segment in self._spooled.segments:
            before.pop(segment.id, None)
        if not before:
            return
        await asyncio.to_thread(sync_directory, self._spooled.directory)
        for stream in map(_stream, before.values()):
            self._ends.pop(stream, None)
            if (cursor := self._delivered.pop(stream, None)) is not None:
                self._gone.append((stream, cursor))


def _stamp(events: Sequence[Event]) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for event in events:
        if event.timestamp is None:
            event.timestamp, event.origin = now, "received"


def _stream(segment: Segment) -> str:
    """The name of a segment's stream."""
    return segment.id.hex()
