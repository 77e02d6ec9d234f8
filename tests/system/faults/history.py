"""The history of a run: which lines were written when and where, and which faults there were meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from faults.lines import Line


class Burst(NamedTuple):
    """Lines `first` to `last` of a writer. `place`: file and incarnation, or connection; `moment`: seconds of the run.

    confirmed  False: nobody can know whether the agent took it (a connection that broke)
    """

    writer: str
    first: int
    last: int
    place: str
    moment: float
    confirmed: bool = True


class Fault(NamedTuple):
    """What was done, from and to which second of the run."""

    kind: str
    start: float
    end: float
    detail: str


@dataclass
class History:
    """Filled by many threads; every fault is a line of the file `log` at once, so that a broken run tells it too."""

    log: Path
    bursts: list[Burst] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def wrote(self, writer: str, first: int, last: int, place: str, *, confirmed: bool = True) -> None:
        """Note a burst that is written."""
        with self._lock:
            self.bursts.append(Burst(writer, first, last, place, self.now, confirmed))

    @contextmanager
    def fault(self, kind: str, detail: str = "") -> Iterator[None]:
        """Note a fault that lasts as long as the block."""
        start = self.now
        self._say(f"{start:9.3f} begins {kind} {detail}")
        yield
        with self._lock:
            self.faults.append(Fault(kind, start, self.now, detail))
        self._say(f"{self.now:9.3f} ended  {kind} {detail}")

    def note(self, text: str) -> None:
        """Something else that whoever reads the log may want to know."""
        self._say(f"{self.now:9.3f} note   {text}")

    def counts(self) -> Counter[str]:
        """How many faults of each kind there were."""
        return Counter(fault.kind for fault in self.faults)

    def lines(self, *, confirmed: bool) -> set[Line]:
        """What was written, for certain or perhaps."""
        return {
            Line(burst.writer, number)
            for burst in self.bursts
            if burst.confirmed == confirmed
            for number in range(burst.first, burst.last + 1)
        }

    def around(self, line: Line, seconds: float = 5.0) -> str:
        """Where and when a line was written, and what happened then."""
        burst = next(b for b in self.bursts if b.writer == line.writer and b.first <= line.number <= b.last)
        near = [f for f in self.faults if f.start - seconds < burst.moment < f.end + seconds]
        told = ", ".join(f"{f.kind} {f.start:.1f}-{f.end:.1f} {f.detail}".strip() for f in near) or "none"
        return f"{line.writer}:{line.number} in {burst.place} at {burst.moment:.3f} s; faults around: {told}"

    def _say(self, text: str) -> None:
        with self._lock, self.log.open("a", encoding="utf-8") as log:
            log.write(text.rstrip() + "\n")
