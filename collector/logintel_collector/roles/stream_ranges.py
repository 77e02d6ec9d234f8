"""The ranges of one lane: what it has passed on of each stream, counted by event and kept with each transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from logintel.bus.kafka_batch import Message
from logintel_collector.stream_ledger import HOUR, StreamRange, range_key, range_out

#: Streams whose range may grow; when a step ends with more, all begin a new one.
_MOST: Final = 10_000
#: Days that a range tells apart; the oldest beyond it are counted with the outliers, whose storage nobody checks.
_DAYS: Final = 60


class StreamRanges:
    """Counts runs: events of one stream and day follow one another, so an event costs a comparison, a run the rest.

    After an error it cannot be used any more, as the lane that it belongs to. A new one begins new ranges, which needs
    nothing of the old ones.
    """

    def __init__(self, installation: str) -> None:
        self._installation = installation
        #: Stream → its range that grows, and all that have changed; each under its key.
        self._open: dict[bytes, tuple[bytes, StreamRange]] = {}
        self._touched: dict[bytes, StreamRange] = {}
        self._hour = ""
        self._stream: bytes | None = None
        self._day: str | None = None
        self._first = self._last = b""
        self._count = 0

    def add(self, stream: bytes, seq: bytes, day: str | None) -> None:
        """A document that is passed on; `day`: that of its index."""
        if stream != self._stream or day != self._day:
            self._end_run()
            self._stream, self._day, self._first = stream, day, seq
        self._last = seq
        self._count += 1

    def add_replay(self, stream: bytes, seq: bytes, day: str | None) -> None:
        """A document of a dead letter that was sent once more."""
        replay = StreamRange(self._installation, stream, seq, seq, self._now(), {day or "": 1}, kind="replay")
        self._touched[range_key(replay)] = replay

    def add_letter(self, stream: bytes, seq: bytes) -> None:
        """An event of which the processor made a dead letter."""
        self._end_run()
        found = self._range(stream, seq)
        found.last = max(found.last, seq)
        found.dead_letters += 1

    def messages(self) -> Iterator[Message]:
        """What has changed since the last call, for stream-ledger."""
        self._end_run()
        for key, found in self._touched.items():
            yield range_out(found, key)
        self._touched.clear()
        if len(self._open) > _MOST or self._hour != self._now():
            self._open.clear()

    def _end_run(self) -> None:
        stream, day = self._stream, self._day or ""
        if stream is None:
            return
        found = self._range(stream, self._first)
        found.last = max(found.last, self._last)
        days = found.days
        days[day] = days.get(day, 0) + self._count
        if len(days) > _DAYS:
            oldest = min(filter(None, days))
            days[""] = days.get("", 0) + days.pop(oldest)
        self._stream, self._count = None, 0

    def _range(self, stream: bytes, seq: bytes) -> StreamRange:
        known = self._open.get(stream)
        if known is None:
            if not self._open:
                self._hour = self._now()
            found = StreamRange(self._installation, stream, seq, seq, self._hour)
            known = self._open[stream] = range_key(found), found
        key, found = known
        self._touched[key] = found
        return found

    def _now(self) -> str:
        return datetime.now(UTC).strftime(HOUR)
