"""The view of a ledger: what a checkpoint says of each stream, and whether it adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logintel_agent.checkpoint_contents import Contents
from logintel_agent.ledger import Counts, EndedStreams, Range, StreamLedger, hour_text
from logintel_agent.mark import Mark


@dataclass(frozen=True, slots=True)
class Hour:
    """What was settled within some hours (mostly one): `since` to `until`, hours since 1970."""

    since: int
    until: int
    counts: Counts

    @property
    def name(self) -> str:
        """As a person reads it."""
        first, last = hour_text(self.since), hour_text(self.until)
        return first if first == last else f"{first}…{last[-5:]}"


@dataclass(frozen=True, slots=True)
class Account:
    """Of one stream, or of all streams of a source that have ended.

    id        hex, of the stream; "" for those that have ended
    streams   how many there are
    before    events read before the ledger was kept; they are in no count
    counted   events that the cursor is behind, `before` left out; None where there is no cursor any more
    """

    worker: str
    source: str
    stream: str
    id: str
    streams: int
    before: int
    waiting: int
    counted: int | None
    hours: tuple[Hour, ...]
    ranges: tuple[Range, ...] = ()

    @property
    def total(self) -> Counts:
        """All hours together; without what waits."""
        counts = Counts()
        for hour in self.hours:
            counts.add(hour.counts)
        return counts

    @property
    def gaps(self) -> list[str]:
        """Where it does not add up, for a person."""
        found = [_gap(hour, missing) for hour in self.hours if (missing := hour.counts.missing)]
        if self.counted is not None and (beyond := self.counted - self.total.read):
            found.append(f"the cursor is behind {self.counted} events, and the ledger knows {self.counted - beyond}")
        return found

    def as_json(self) -> dict[str, Any]:
        """As values of JSON; `read` and what it is the sum of."""
        total = self.total
        about = {"stream": self.stream, "id": self.id} if self.id else {"ended_streams": self.streams}
        return {
            "worker": self.worker,
            "source": self.source,
            **about,
            "read": total.read + self.waiting,
            "acknowledged": total.acknowledged,
            "dropped": total.dropped,
            "dead_letters": total.dead_letters,
            "waiting": self.waiting,
            "before": self.before,
            "ranges": [each.as_json() for each in self.ranges],
            "hours": {hour.name: hour.counts.as_json() for hour in self.hours},
            "gaps": self.gaps,
        }


def accounts(worker: str, contents: Contents) -> Iterator[Account]:
    """Of every stream, then of those that have ended, by source."""
    for (source, stream), mark in sorted(contents.marks.items()):
        yield _of_stream(worker, source, stream, mark, contents.ledgers[source, stream])
    for source, ended in sorted(contents.ended.items()):
        yield _of_ended(worker, source, ended)


def workers(directory: Path) -> list[Path]:
    """The workers' checkpoints in an agent's data directory."""
    found = directory.glob("worker-*/checkpoint")
    return sorted(found, key=lambda path: (len(path.parent.name), path.parent.name))


def _gap(hour: Hour, missing: int) -> str:
    what = "were read and have no outcome" if missing > 0 else "have an outcome and were not read"
    return f"{abs(missing)} events {what} in {hour.name}"


def _of_stream(worker: str, source: str, stream: str, mark: Mark, ledger: StreamLedger) -> Account:
    hours = tuple(Hour(each.since, each.until, each.counts) for each in ledger.ranges)
    counted = mark.count - ledger.before
    ranges = tuple(ledger.ranges)
    return Account(worker, source, stream, mark.id, 1, ledger.before, ledger.waiting, counted, hours, ranges)


def _of_ended(worker: str, source: str, ended: EndedStreams) -> Account:
    hours = tuple(Hour(hour, hour, counts) for hour, counts in sorted(ended.hours.items()))
    return Account(worker, source, "", "", ended.streams, ended.before, 0, None, hours)
