"""The local bus: topic log-ingestion as a segment log, for an agent and a collector in one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import structlog

from logintel.bus import Stored
from logintel.bus.damage import Damage
from logintel.bus.local_producer import LocalProducer
from logintel.bus.local_record import unpack
from logintel.bus.segment_log import SegmentLog
from logintel.bus.segment_reader import SegmentReader

_log = structlog.get_logger(__name__)


class Lag(NamedTuple):
    """How far the consumer is behind: records not yet released, bytes not yet read. (0, 0): everything is done."""

    records: int
    bytes: int


class LocalConsumer:
    """A Consumer over a segment log; sees only records that are on disk."""

    def __init__(self, reader: SegmentReader) -> None:
        self._reader = reader
        #: Offset of the last record that `read` gave.
        self.offset = reader.position

    async def read(self, limit: int) -> Sequence[Stored]:
        """See Consumer. A cancelled call loses nothing."""
        while True:
            entries = (await self._reader.read(limit)).entries
            stored = unpack(entries)
            if len(stored) < len(entries):
                _log.error("bus_records_of_unknown_version", records=len(entries) - len(stored))
            if stored:
                self.offset = stored[-1].offset
                return stored


class LocalBus:
    """Both ends of the bus. Use it with `async with`; make the consumer before anything is sent.

    The offset that the consumer names when it starts also keeps the numbers rising: they go on above it even when the
    directory was deleted, so nothing new is taken for something old.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        """Opens or makes the log. Raises DirectoryLocked, or OSError when the directory cannot be used."""
        self._log = SegmentLog(directory, max_bytes)
        self._producers: list[LocalProducer] = []
        self._reader: SegmentReader | None = None
        self._consumer: LocalConsumer | None = None
        self._released = 0

    @property
    def damage(self) -> Damage:
        """What could not be read since the bus was opened."""
        return self._log.damage

    def producer(self) -> LocalProducer:
        """A producer; the records of one stream go through one producer."""
        producer = LocalProducer(self._log)
        self._producers.append(producer)
        return producer

    def consumer(self, after: int) -> LocalConsumer:
        """The consumer, behind offset `after`: the one up to which its own results are on disk, 0 for none."""
        self._reader = self._log.reader(after)
        self._consumer = LocalConsumer(self._reader)
        self.release(after)
        return self._consumer

    def release(self, offset: int) -> None:
        """The consumer's results up to `offset` are on disk: delete the segments that nobody needs any more."""
        self._released = max(self._released, offset)
        self._log.delete_below(self._released + 1)

    def lag(self) -> Lag:
        """How far the consumer's durable results are behind what was sent."""
        if self._reader is None or self._consumer is None:
            return Lag(self._log.last, self._log.held_bytes)
        # Numbers without a record (damage, a failed sync) must not look like work that is still to be done.
        done = self._reader.position if self._released >= self._consumer.offset else self._released
        return Lag(max(0, self._log.last - done), self._reader.unread())

    async def close(self) -> None:
        """Sync what was sent and let others open the directory."""
        for producer in self._producers:
            await producer.close()
        if self._reader is not None:
            self._reader.close()
        await self._log.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
