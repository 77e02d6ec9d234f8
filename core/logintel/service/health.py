"""Health: whether each part of a process gets on, told by its progress and not by its being there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

#: Seconds without a sign of progress after which a part is stalled; no exchange with a server may take so long.
PATIENCE: Final = 120.0


class Vital(Protocol):
    """A part that works on its own."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def signs(self) -> int:
        """Another number whenever the part has got on: it did something, looked in vain for something to do, or tried
        again what had failed. A server that is away is no stall: it is tried again and again."""

    @property
    def trouble(self) -> str | None:
        """What keeps it from working, for a person; None: nothing."""

    @property
    def status(self) -> str:
        """How far it is, in a few words."""


class Verdict(Protocol):
    """What a process says of itself; asked again and again."""

    def stalled(self) -> list[str]:
        """The parts that do not get on, in words: the process is to be restarted."""

    def unready(self) -> list[str]:
        """Why the process does not do its work, by part; empty: it does."""

    def status(self) -> str:
        """One line for a person."""


@dataclass(slots=True)
class Health:
    """The verdict on a process by its parts. `vitals` answers the parts that there are now; `clock` is in seconds."""

    vitals: Callable[[], Sequence[Vital]]
    patience: float = PATIENCE
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def stalled(self) -> list[str]:
        """The parts that have not got on for `patience` seconds, in words. Ask more often than that."""
        now = self.clock()
        verdicts = []
        for vital in self.vitals():
            signs, since = self._seen.get(vital.name, (vital.signs, now))
            if vital.signs != signs:
                signs, since = vital.signs, now
            self._seen[vital.name] = signs, since
            if now - since >= self.patience:
                verdicts.append(f"{vital.name}: no progress for {now - since:.0f} s")
        return verdicts

    def unready(self) -> list[str]:
        """Why the process does not do its work, by part; empty: it does."""
        return [
            *self.stalled(),
            *(f"{vital.name}: {vital.trouble}" for vital in self.vitals() if vital.trouble),
            *(f"{vital.name}: starting" for vital in self.vitals() if not (vital.signs or vital.trouble)),
        ]

    def status(self) -> str:
        """One line for a person."""
        return "; ".join(f"{vital.name}: {vital.trouble or vital.status}" for vital in self.vitals())
