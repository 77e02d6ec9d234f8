"""The work on one batch: its encoded events in order, and what becomes of those that do not go on."""

from __future__ import annotations

from dataclasses import dataclass, field

from logintel_agent.outgoing import Dropped


@dataclass(slots=True)
class Work:
    """`values` and `seqs` belong together; a value is empty where its event is dropped."""

    values: list[bytes]
    seqs: list[bytes]
    dropped: list[Dropped] = field(default_factory=list)
    cut: list[Dropped] = field(default_factory=list)

    def drop(self, place: int, reason: str, original: bytes | None = None) -> None:
        """Drop one; `original` where it must be kept on this host."""
        self.dropped.append(Dropped(self.seqs[place], reason, original))
        self.values[place] = b""

    def close(self) -> None:
        """Take out what was dropped."""
        if not all(self.values):
            places = [place for place, value in enumerate(self.values) if value]
            self.values = [self.values[place] for place in places]
            self.seqs = [self.seqs[place] for place in places]
