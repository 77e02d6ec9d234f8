"""The role: one part of the collector's work, and how far it is."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from logintel_collector.roles import RoleName


@dataclass(slots=True)
class Progress:
    """How far a role is.

    done     records (or rows) of this run
    lag      those that waited when it last looked; None: it did not look yet
    trouble  what keeps it from working, for a person; None: nothing
    tries    starts that failed
    awaited  whether a run that ends waits for the role to catch up: it need not rest any more
    gaps     how often records were gone from the bus before they were read, and how many those were, as far as known
    """

    done: int = 0
    lag: int | None = None
    trouble: str | None = None
    tries: int = 0
    awaited: bool = False
    gaps: int = 0
    gap_records: int = 0
    _looks: int = field(default=0, repr=False)
    _asked: float = field(default=0.0, repr=False)

    def saw(self, lag: int, asked: float) -> None:
        """Note that `lag` records waited; `asked`: time.monotonic() before it was asked for."""
        self.lag, self._asked = lag, asked
        self._looks += 1

    @property
    def signs(self) -> int:
        """See logintel.service.health.Vital: it rises with all that was done, looked for or tried."""
        return self.done + self._looks + self.tries

    def caught_up_since(self, moment: float) -> bool:
        """Whether nothing waited at a look that began after `moment` (time.monotonic())."""
        return self.lag == 0 and self._asked >= moment

    def now(self) -> float:
        """The clock of `saw` and `caught_up_since`."""
        return time.monotonic()


class Gauge(NamedTuple):
    """A measure of now, for metrics (docs/metrics.md): a value for each value of its one label."""

    name: str
    help: str
    label: str
    values: Mapping[str, float]


class Role(ABC):
    """Started by the runner, and again after every error."""

    name: RoleName

    def __init__(self) -> None:
        self.progress = Progress()

    @property
    def signs(self) -> int:
        """See Vital."""
        return self.progress.signs

    @property
    def trouble(self) -> str | None:
        """See Vital."""
        return self.progress.trouble

    @property
    def status(self) -> str:
        """See Vital."""
        lag = "" if self.progress.lag is None else f", {self.progress.lag:,} waiting"
        return f"{self.progress.done:,} done{lag}"

    def summary(self) -> dict[str, int]:
        """Counts of this run, by what was counted."""
        return {"done": self.progress.done}

    def gauges(self) -> Iterator[Gauge]:
        """Further measures, asked for at each scrape; no other role has one of the same name."""
        yield from ()

    @abstractmethod
    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end within seconds: what is begun is finished or left for the next run.

        Calls `progress.saw` again and again while nothing is left to read. Any error ends this call, not the role: the
        runner calls it again after a pause. Refused and Misconfigured, which only a person can mend, end the process.
        """
