"""The ledger: what became of every event that was read, per stream, in ranges of seq.

read = acknowledged + dropped (by reason) + dead letters (by reason) + waiting. A range is what was settled within one
hour, so hours are a view of it; it holds counts, since what is dropped by sampling would make a range of each event.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from logintel.identity import position_of, seq_of

#: Ranges of one stream, and of all streams together: beyond it the oldest of a stream become one.
MOST_RANGES: Final = 26
_IN_ALL: Final = 20_000
_HOUR: Final = "%Y-%m-%dT%H"


class Settled(NamedTuple):
    """What a batch became. `first`, `last`: seq of its outermost events; `read`: how many came out of the source."""

    first: bytes
    last: bytes
    read: int
    acknowledged: int
    dropped: Mapping[str, int]
    dead_letters: Mapping[str, int]

    def refused(self, reason: str, events: int) -> Settled:
        """With so many of the acknowledged events as dead letters instead."""
        if not events:
            return self
        letters = {**self.dead_letters, reason: events}
        return self._replace(acknowledged=self.acknowledged - events, dead_letters=letters)


@dataclass(slots=True)
class Counts:
    """Events by outcome; `dropped` and `dead_letters` by reason."""

    read: int = 0
    acknowledged: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Events that were read and have no outcome; below 0: outcomes of events that were not read."""
        return self.read - self.acknowledged - sum(self.dropped.values()) - sum(self.dead_letters.values())

    def add(self, other: Counts | Settled) -> None:
        """Count those of `other` as well."""
        self.read += other.read
        self.acknowledged += other.acknowledged
        if other.dropped:
            _sum(self.dropped, other.dropped)
        if other.dead_letters:
            _sum(self.dead_letters, other.dead_letters)

    def as_json(self) -> dict[str, Any]:
        """As values of JSON; what is empty is left out."""
        whole = {"dropped": self.dropped, "dead_letters": self.dead_letters}
        return {"read": self.read, "acknowledged": self.acknowledged} | {
            key: value for key, value in whole.items() if value
        }


@dataclass(slots=True)
class Range:
    """Events from seq `first` to `last`, settled in the hours `since` to `until` (hours since 1970, UTC)."""

    first: bytes
    last: bytes
    since: int
    until: int
    counts: Counts = field(default_factory=Counts)

    def as_json(self) -> dict[str, Any]:
        """As values of JSON; a seq as (end offset, index)."""
        seqs = [position_of(self.first), position_of(self.last)]
        return {"hours": [hour_text(self.since), hour_text(self.until)], "seq": seqs, **self.counts.as_json()}


@dataclass(slots=True)
class StreamLedger:
    """Of one stream. `before`: events that were read before the ledger was kept; `waiting`: not settled yet."""

    before: int = 0
    ranges: list[Range] = field(default_factory=list)
    waiting: int = 0

    def settle(self, settled: Settled, hour: int, most: int) -> bool:
        """Note what a batch became, which follows what was noted; whether that began a range."""
        begins = not self.ranges or self.ranges[-1].until != hour
        if begins:
            self.ranges.append(Range(settled.first, settled.last, hour, hour))
        newest = self.ranges[-1]
        newest.last = settled.last
        newest.counts.add(settled)
        self._merge(most)
        return begins

    def resume(self, ranges: Sequence[Range], most: int) -> None:
        """From the first seq of `ranges` on, these are what is known."""
        if ranges:
            self.ranges = [known for known in self.ranges if known.last < ranges[0].first] + list(ranges)
            self._merge(most)

    def total(self) -> Counts:
        """All ranges together."""
        counts = Counts()
        for each in self.ranges:
            counts.add(each.counts)
        return counts

    def _merge(self, most: int) -> None:
        while len(self.ranges) > most:
            oldest, following = self.ranges[0], self.ranges.pop(1)
            oldest.last, oldest.until = following.last, following.until
            oldest.counts.add(following.counts)


@dataclass(slots=True)
class EndedStreams:
    """What became of a source's streams that are forgotten: how many they were, and their events by hour."""

    streams: int = 0
    before: int = 0
    hours: dict[int, Counts] = field(default_factory=dict)

    def add(self, ledger: StreamLedger) -> None:
        """A stream has ended."""
        self.streams += 1
        self.before += ledger.before
        for each in ledger.ranges:
            self._add(each.until, each.counts)

    def total(self) -> Counts:
        """All hours together."""
        counts = Counts()
        for each in self.hours.values():
            counts.add(each)
        return counts

    def as_json(self) -> dict[str, Any]:
        """As values of JSON."""
        hours = {hour_text(hour): counts.as_json() for hour, counts in self.hours.items()}
        return {"streams": self.streams, "before": self.before, "hours": hours}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> EndedStreams:
        """What `as_json` gave."""
        hours = {_hour_of(hour): counts_from_json(counts) for hour, counts in body["hours"].items()}
        return cls(body["streams"], body["before"], hours)

    def _add(self, hour: int, counts: Counts) -> None:
        self.hours.setdefault(hour, Counts()).add(counts)
        while len(self.hours) > MOST_RANGES:
            oldest = self.hours.pop(min(self.hours))
            self.hours[min(self.hours)].add(oldest)


def most_ranges(streams: int) -> int:
    """How many ranges each of so many streams may have."""
    return max(2, min(MOST_RANGES, _IN_ALL // max(1, streams)))


def this_hour() -> int:
    """Hours since 1970."""
    return int(time.time() // 3600)


def hour_text(hour: int) -> str:
    """An hour as a person reads it, `YYYY-MM-DDTHH`, UTC."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime(_HOUR)


def range_from_json(body: Mapping[str, Any]) -> Range:
    """What `Range.as_json` gave."""
    (first, last), (since, until) = body["seq"], body["hours"]
    return Range(seq_of(*first), seq_of(*last), _hour_of(since), _hour_of(until), counts_from_json(body))


def counts_from_json(body: Mapping[str, Any]) -> Counts:
    """What `Counts.as_json` gave."""
    return Counts(body["read"], body["acknowledged"], dict(body.get("dropped", {})), dict(body.get("dead_letters", {})))


def _hour_of(text: str) -> int:
    return int(datetime.strptime(text, _HOUR).replace(tzinfo=UTC).timestamp() // 3600)


def _sum(into: dict[str, int], more: Mapping[str, int]) -> None:
    for reason, count in more.items():
        into[reason] = into.get(reason, 0) + count
