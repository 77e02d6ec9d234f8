"""What the processor has passed on, and what was gone before somebody had read it: topic stream-ledger, read whole."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from logintel.bus.kafka_scan import scan
from logintel.bus.topics import DEAD_LETTERS, LEDGER
from logintel.config.shared import KafkaBusConfig
from logintel_collector.closing.stores import Kept, Span
from logintel_collector.roles.messages import Refused, refused_of
from logintel_collector.stream_ledger import KnownGap, StreamRange, entry_of


@dataclass(slots=True)
class PassedStream:
    """Of one stream: the processor's ranges in order, those of dead letters that were sent once more apart.

    partition  of log-processing where its documents are
    elsewhere  seq up to which something else than this collector had processed it; empty: nothing
    """

    partition: int
    ranges: list[StreamRange] = field(default_factory=list)
    replays: list[StreamRange] = field(default_factory=list)
    elsewhere: bytes = b""

    def joined(self) -> list[StreamRange]:
        """The ranges, those that share a byte made one: ids do not tell on which side of it an event is."""
        joined: list[StreamRange] = []
        for each in self.ranges:
            if joined and joined[-1].last[:8] >= each.first[:8]:
                joined[-1] = _sum(joined[-1], each)
            else:
                joined.append(each)
        return joined


@dataclass(slots=True)
class Passed:
    """Of all streams, and the gaps of all readers."""

    streams: dict[bytes, PassedStream] = field(default_factory=dict)
    gaps: list[KnownGap] = field(default_factory=list)


async def read_passed(kafka: KafkaBusConfig, installation: str, topic: str = LEDGER.name) -> Passed:
    """All that the topic says of an installation. Raises TimeoutError, KafkaError, Refused."""
    newest: dict[bytes, tuple[int, StreamRange | KnownGap]] = {}
    async with aclosing(scan(kafka, topic)) as pages:
        async for page in pages:
            for record in page:
                entry = entry_of(record.key or b"", record.value or b"")
                if entry is not None:
                    newest[record.key] = (record.partition, entry)
    found = Passed()
    for partition, entry in newest.values():
        if _is_of(entry, installation):
            _add(found, partition, entry)
    for stream in found.streams.values():
        stream.ranges.sort(key=lambda each: each.first)
    return found


async def read_refused(kafka: KafkaBusConfig, topic: str = DEAD_LETTERS.name) -> dict[str, list[Refused]]:
    """Stage → dead letters that it made and that did not go on since, also those that somebody dropped.

    Raises TimeoutError, KafkaError, Refused.
    """
    newest: dict[tuple[int, bytes], Refused | None] = {}
    async with aclosing(scan(kafka, topic)) as pages:
        async for page in pages:
            for record in page:
                newest[record.partition, record.key] = refused_of(record.value) if record.value else None
    found: dict[str, list[Refused]] = {}
    for letter in newest.values():
        if letter is not None:
            found.setdefault(letter.stage, []).append(letter)
    return found


def documents(ranges: Iterable[StreamRange], kept: Kept) -> int:
    """How many documents of those days must be in a store."""
    return sum(count for each in ranges for day, count in each.days.items() if kept.sees(day))


def span_of(known: StreamRange) -> Span:
    """Where its events are."""
    return Span(known.stream, known.first, known.last)


def _is_of(entry: StreamRange | KnownGap, installation: str) -> bool:
    if isinstance(entry, KnownGap):
        return entry.reader.rpartition("-")[0] == installation
    return entry.installation == installation


def _add(found: Passed, partition: int, entry: StreamRange | KnownGap) -> None:
    if isinstance(entry, KnownGap):
        found.gaps.append(entry)
        return
    stream = found.streams.setdefault(entry.stream, PassedStream(partition))
    match entry.kind:
        case "passed":
            stream.ranges.append(entry)
        case "replay":
            stream.replays.append(entry)
        case "elsewhere":
            stream.elsewhere = max(stream.elsewhere, entry.last)


def _sum(one: StreamRange, other: StreamRange) -> StreamRange:
    days = dict(one.days)
    for day, count in other.days.items():
        days[day] = days.get(day, 0) + count
    letters = one.dead_letters + other.dead_letters
    return StreamRange(one.installation, one.stream, one.first, max(one.last, other.last), one.hour, days, letters)
