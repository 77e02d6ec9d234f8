"""The closing: agents' ranges of seq against what each stage did, stream by stream, and where events are missing.

    sent = passed on + the processor's dead letters
    passed on, of days that are kept = stored + the store's dead letters          (of each store)

Streams in partitions that a stage has not read to the end wait: nothing is said of them there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logintel_collector.closing.passed import Passed, PassedStream, documents, span_of
from logintel_collector.closing.reports import SentRange, SentStream
from logintel_collector.closing.stores import CountingStore, Kept, Span
from logintel_collector.roles.messages import Refused
from logintel_collector.stream_ledger import KnownGap, StreamRange

#: Stages in the order in which an event passes them.
STAGES: Final = ("agent", "processor", "indexer", "recorder")
_END: Final = slice(0, 8)


@dataclass(frozen=True, slots=True)
class Missing:
    """Events that came into a stage and have no outcome there: `events` of stream `id`, from seq `first` to `last`.

    why  what is known of the reason, for a person; "" for nothing
    """

    stage: str
    id: bytes
    source: str
    stream: str
    host: str
    partition: int | None
    first: bytes
    last: bytes
    events: int
    why: str = ""


@dataclass(slots=True)
class StageSum:
    """Of all streams that were looked at: events that came in, and what became of them; `waiting`: streams that were
    not, since the stage has not read all of their partition.
    """

    came: int = 0
    done: int = 0
    dropped: int = 0
    dead_letters: int = 0
    missing: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Closing:
    """The result: what each stage did, what is missing, first stage first, and which days each store keeps."""

    stages: dict[str, StageSum] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Books:
    """What is compared.

    sent     the agents' streams, as of before all else was read
    refused  stage → its dead letters
    behind   stage → partitions that it had not read to the end when `passed` was read
    since    hour before which the agents' ranges are not looked at: what the processor kept of them is gone
    reader   the beginning of the readers' names in gaps
    """

    sent: Mapping[bytes, SentStream]
    passed: Passed
    refused: Mapping[str, Sequence[Refused]]
    behind: Mapping[str, Collection[int]]
    since: str
    reader: str

    def why(self, stage: str, partition: int | None) -> str:
        """What was gone from that partition before the stage had read it."""
        gaps = [
            gap for gap in self.passed.gaps if gap.reader == f"{self.reader}-{stage}" and gap.partition == partition
        ]
        return "; ".join(map(gap_text, gaps))


async def close(books: Books, stores: Mapping[str, CountingStore]) -> Closing:
    """Compare; `stores`: stage → its store. Raises what the stores raise."""
    comparison = _Comparison(books, [*STAGES[:2], *stores])
    comparison.agents()
    await comparison.processor(next(iter(stores.values()), None))
    for stage, store in stores.items():
        await comparison.store(stage, store)
    comparison.closing.missing.sort(key=lambda each: (STAGES.index(each.stage), each.id, each.first))
    return comparison.closing


def gap_text(gap: KnownGap) -> str:
    """A gap for a person."""
    place = f"{gap.topic}/{gap.partition}"
    if gap.records is not None:
        return f"offsets {gap.wanted} to {gap.continued_from - 1} of {place} were gone before they were read ({gap.at})"
    if gap.wanted is None:
        return f"nobody knows what was read of {place} before offset {gap.continued_from} ({gap.at})"
    return f"{place} was made anew: offset {gap.wanted} was not there, read from {gap.continued_from} on ({gap.at})"


class _Comparison:
    def __init__(self, books: Books, stages: Iterable[str]) -> None:
        self._books = books
        self.closing = Closing({stage: StageSum() for stage in stages})

    def agents(self) -> None:
        """What they say of themselves."""
        total = self.closing.stages["agent"]
        for stream in self._books.sent.values():
            total.came += stream.read
            total.done += stream.acknowledged
            total.dropped += stream.dropped
            total.dead_letters += stream.dead_letters
            total.waiting += bool(stream.waiting)
            if stream.missing and stream.ranges:
                span = Span(stream.id, stream.ranges[0].first, stream.ranges[-1].last)
                self._miss("agent", span, stream.missing, stream.partition, "see `logintel ledger` on that host")

    async def processor(self, store: CountingStore | None) -> None:
        """The agents against the processor; `store`: any, to tell what went on after an agent had told of itself."""
        total, beyond = self.closing.stages["processor"], await self._beyond(store)
        for stream in self._books.sent.values():
            if stream.partition in self._books.behind["processor"]:
                total.waiting += 1
                continue
            passed = self._books.passed.streams.get(stream.id) or PassedStream(stream.partition or 0)
            ranges = _known_ranges(stream.ranges, self._books.since, passed.elsewhere)
            if not ranges:
                continue
            known = [each for each in passed.ranges if each.last >= ranges[0].first]
            came, letters = sum(each.acknowledged for each in ranges), sum(each.dead_letters for each in known)
            done = sum(each.documents for each in known) - beyond.get(stream.id, 0)
            total.came += came
            total.done += min(done, came)
            total.dead_letters += letters
            if came > done + letters:
                span = Span(stream.id, ranges[0].first, ranges[-1].last)
                self._miss("processor", span, came - done - letters, stream.partition)

    async def store(self, stage: str, store: CountingStore) -> None:
        """The processor against a store: stream by stream; those that do not agree range by range."""
        total, kept = self.closing.stages[stage], await store.kept()
        self.closing.kept[stage] = kept
        letters = _by_stream(self._books.refused.get(stage, ()))
        judged = {}
        for id_, stream in self._books.passed.streams.items():
            if stream.partition in self._books.behind[stage]:
                total.waiting += 1
            elif parts := _parts(stream):
                judged[id_] = parts
        wholes = [Span(id_, parts[0].first, max(part.last for part in parts)) for id_, parts in judged.items()]
        doubtful: list[StreamRange] = []
        for whole, count in zip(wholes, await store.count(wholes, kept), strict=True):
            parts = judged[whole.stream]
            expected, refused = documents(parts, kept), _refused(letters, whole)
            total.came += expected
            total.done += min(count, expected)
            total.dead_letters += refused
            if count + refused != expected:
                doubtful += parts
        counts = await store.count([span_of(part) for part in doubtful], kept)
        for part, count in zip(doubtful, counts, strict=True):
            events = documents([part], kept) - count - _refused(letters, span_of(part))
            if events > 0:
                self._miss(stage, span_of(part), events, self._books.passed.streams[part.stream].partition)

    async def _beyond(self, store: CountingStore | None) -> dict[bytes, int]:
        """Stream → events that were passed on after the agent had told of itself, as far as a store has them."""
        if store is None:
            return {}
        ahead = []
        for each in self._books.sent.values():
            passed = self._books.passed.streams.get(each.id)
            if each.ranges and passed and passed.ranges:
                told, reached = each.ranges[-1].last, passed.ranges[-1].last
                if reached[_END] > told[_END]:
                    ahead.append(Span(each.id, _after(told), reached))
        counts = await store.count(ahead, await store.kept())
        return {span.stream: count for span, count in zip(ahead, counts, strict=True)}

    def _miss(self, stage: str, span: Span, events: int, partition: int | None, why: str = "") -> None:
        sent = self._books.sent.get(span.stream)
        about = (sent.source, sent.name, sent.host) if sent else ("?", "?", "?")
        why = why or self._books.why(stage, partition)
        self.closing.missing.append(Missing(stage, span.stream, *about, partition, span.first, span.last, events, why))
        self.closing.stages[stage].missing += events


def _parts(stream: PassedStream) -> list[StreamRange]:
    """The ranges, each with the replays that are inside it; replays outside of all stand alone."""
    parts = [replace(part, days=dict(part.days)) for part in stream.joined()]
    for replay in stream.replays:
        part = next((part for part in parts if part.first[_END] <= replay.first[_END] <= part.last[_END]), None)
        if part is None:
            parts.append(replay)
            continue
        for day, count in replay.days.items():
            part.days[day] = part.days.get(day, 0) + count
    return sorted(parts, key=lambda part: part.first)


def _known_ranges(ranges: Iterable[SentRange], since: str, elsewhere: bytes) -> list[SentRange]:
    """Those of which all can be known: begun neither before the processor's ledger nor with another processor."""
    return [each for each in ranges if each.since >= since and each.first > elsewhere]


def _by_stream(refused: Iterable[Refused]) -> dict[bytes, list[Refused]]:
    found: dict[bytes, list[Refused]] = {}
    for letter in refused:
        found.setdefault(letter.stream, []).append(letter)
    return found


def _refused(letters: Mapping[bytes, Sequence[Refused]], span: Span) -> int:
    return sum(span.first <= letter.seq <= span.last for letter in letters.get(span.stream, ()))


def _after(seq: bytes) -> bytes:
    """The beginning of the next byte."""
    return (int.from_bytes(seq[_END]) + 1).to_bytes(8) + bytes(4)
