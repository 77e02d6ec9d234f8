"""The ranges of one lane: what it has passed on of each stream, counted by event and kept with each transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from logintel.bus.kafka_batch import Message
from logintel_collector.stream_ledger import HOUR, StreamRange, range_out

#: Streams whose range may grow; when there are more, all begin a new one.
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
        self._open: dict[bytes, StreamRange] = {}
        self._touched: dict[bytes, StreamRange] = {}
        self._replays: list[StreamRange] = []
        self._hour = ""
        self._run: tuple[bytes, str | None] | None = None
        self._first = self._last = b""
        self._count = 0

    def add(self, stream: bytes, seq: bytes, day: str | None) -> None:
        """A document that is passed on; `day`: that of its index."""
        run = self._run
        if run is None or run[0] != stream or run[1] != day:
            self._end_run()
            self._run, self._first = (stream, day), seq
        self._last = seq
        self._count += 1

    def add_replay(self, stream: bytes, seq: bytes, day: str | None) -> None:
        """A document of a dead letter that was sent once more."""
        self._replays.append(
            StreamRange(self._installation, stream, seq, seq, self._now(), {day or "": 1}, kind="replay")
        )

    def add_letter(self, stream: bytes, seq: bytes) -> None:
        """An event of which the processor made a dead letter."""
        self._end_run()
        found = self._range(stream, seq)
        found.last = max(found.last, seq)
        found.dead_letters += 1

    def messages(self) -> Iterator[Message]:
        """What has changed since the last call, for stream-ledger."""
        self._end_run()
        yield from map(range_out, [*self._touched.values(), *self._replays])
        self._touched.clear()
        self._replays.clear()

    def _end_run(self) -> None:
        if self._run is None:
            return
        (stream, day), self._run = self._run, None
        found = self._range(stream, self._first)
        found.last = max(found.last, self._last)
        found.days[day or ""] = found.days.get(day or "", 0) + self._count
        self._count = 0
        if len(found.days) > _DAYS:
            oldest = min(filter(None, found.days))
            found.days[""] = found.days.get("", 0) + found.days.pop(oldest)

    def _range(self, stream: bytes, seq: bytes) -> StreamRange:
        hour = self._now()
        if hour != self._hour or len(self._open) > _MOST:
            self._open.clear()
            self._hour = hour
        found = self._open.get(stream)
        if found is None:
            found = self._open[stream] = StreamRange(self._installation, stream, seq, seq, hour)
        self._touched[stream + found.first] = found
        return found

    def _now(self) -> str:
        return datetime.now(UTC).strftime(HOUR)
