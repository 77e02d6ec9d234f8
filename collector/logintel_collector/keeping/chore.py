"""The chore: one thing that the keeper does again and again, and what keeps it from that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from logintel_collector.roles.role import Gauge


class Chore(ABC):
    """Done every `every` seconds, by any number of keepers: where only one may, they take turns in the store.

    patience  seconds after which one time counts as hanging, and the process as stalled
    trouble   what kept the last try from working, for a person; None: nothing
    """

    name: str
    every: float
    patience: float = 600.0

    def __init__(self) -> None:
        self.trouble: str | None = None

    @abstractmethod
    async def keep(self) -> None:
        """Do what is due; cancelled where that takes longer than a stop may wait, so each step is whole or undone.

        Any error ends this try, not the chore: it is tried again after a pause. Refused and Misconfigured, which only a
        person can mend, end the process.
        """

    async def close(self) -> None:
        """Let go of what is kept open between two times; called after an error too."""
        return

    def summary(self) -> dict[str, int]:
        """Counts of this run, by what was counted; no other chore counts the same."""
        return {}

    def gauges(self) -> Iterator[Gauge]:
        """See Role; no other chore has one of the same name."""
        yield from ()
