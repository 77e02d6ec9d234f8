"""The verdict: what was written against what arrived, first from the agent, then behind the collector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from faults.arrivals import Arrivals
from faults.history import History
from faults.lines import Line

#: Lines that are told one by one.
_TOLD: Final = 20


@dataclass(frozen=True)
class Verdict:
    """Of one topic.

    written      lines of which it is certain that they had to arrive, `uncertain` those of broken TCP connections
    missing      of `written`; `unwritten`: lines that arrived and that nobody wrote
    doubled      lines under two ids
    repeated     events that came again under the same id
    """

    topic: str
    written: int
    uncertain: int
    missing: tuple[Line, ...]
    unwritten: tuple[Line, ...]
    doubled: tuple[Line, ...]
    repeated: int
    overtaken: int
    strayed: int

    @classmethod
    def of(cls, history: History, arrivals: Arrivals) -> Self:
        """Compare."""
        certain, uncertain = history.lines(confirmed=True), history.lines(confirmed=False)
        arrived = {Line(writer, number) for writer, numbers in arrivals.first.items() for number in numbers}
        return cls(
            topic=arrivals.topic,
            written=len(certain),
            uncertain=len(uncertain),
            missing=tuple(sorted(certain - arrived)),
            unwritten=tuple(sorted(arrived - certain - uncertain)),
            doubled=tuple(sorted({line for line, _, _ in arrivals.doubled})),
            repeated=arrivals.repeated,
            overtaken=len(arrivals.overtaken),
            strayed=len(arrivals.strayed),
        )

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, doubled, made up, out of order or in two partitions."""
        return not (self.missing or self.unwritten or self.doubled or self.overtaken or self.strayed)

    def summary(self) -> str:
        """In one line."""
        return (
            f"{self.topic}: {self.written:,} lines written, {self.uncertain:,} more uncertain (broken TCP); "
            f"missing {len(self.missing)}, under two ids {len(self.doubled)}, repeated under the same id "
            f"{self.repeated:,}, never written {len(self.unwritten)}, streams out of order {self.overtaken}, "
            f"streams in two partitions {self.strayed}"
        )

    def report(self, history: History) -> str:
        """What is wrong, with the place in the input and the faults around."""
        parts = [("missing", self.missing), ("under two ids", self.doubled), ("never written", self.unwritten)]
        return "\n".join([self.summary(), *(line for name, lines in parts for line in _told(name, lines, history))])


def _told(name: str, lines: Iterable[Line], history: History) -> Iterator[str]:
    runs = list(_runs(lines))
    for first, last in runs[:_TOLD]:
        to = f" to {last.number}" if last != first else ""
        yield f"  {name}{to}: {history.around(first) if name != 'never written' else first}"
    if len(runs) > _TOLD:
        yield f"  … and {len(runs) - _TOLD} more runs of lines"


def _runs(lines: Iterable[Line]) -> Iterator[tuple[Line, Line]]:
    """Neighbours together: (first, last) of each run of numbers."""
    first = last = None
    for line in lines:
        if first is None or last is None:
            first = last = line
        elif (line.writer, line.number) == (last.writer, last.number + 1):
            last = line
        else:
            yield first, last
            first = last = line
    if first is not None and last is not None:
        yield first, last
