"""Seating: which checkpoint directory (worker-N, a seat) a source or a stream belongs to, and which process serves it.

Streams stay in the seat that has their cursor. When there are fewer workers than seats, the processes serve the surplus
ones too, which get nothing new; new streams are placed by a hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from logintel.share import Saved, Share
from logintel_agent.checkpoint_contents import Contents


@dataclass(frozen=True, slots=True)
class Seating:
    """As it was when the workers were started; the same for all of them for as long as they run.

    workers  how many processes there are
    saved    streams by source (for what a source has received, by NAME/spool)
    spools   seats that keep what a source has received, by its name
    """

    workers: int = 1
    saved: Mapping[str, Sequence[Saved]] = field(default_factory=dict)
    spools: Mapping[str, int] = field(default_factory=dict)

    @property
    def seats(self) -> list[int]:
        """Of the workers, and the surplus ones that have something."""
        used = {saved.seat for streams in self.saved.values() for saved in streams} | set(self.spools.values())
        return sorted(used | set(range(self.workers)))

    def served_by(self, worker: int) -> list[int]:
        """The seats of one process."""
        return [seat for seat in self.seats if seat % self.workers == worker]

    def share(self, seat: int) -> Share:
        """What `seat` has of sources whose streams are split."""
        return Share(seat, self.workers, self.saved)

    def home(self, source: str, *, received: bool) -> int:
        """The one seat of a source whose streams are not split, or of what a source receives."""
        streams = self.saved.get(f"{source}/spool" if received else source)
        if streams:
            return streams[0].seat
        if received and source in self.spools:
            return self.spools[source]
        return self.share(0).place(source.encode())


def seating(directory: Path, workers: int) -> Seating:
    """From what is in an agent's `directory`. Raises Refused, OSError."""
    saved: dict[str, list[Saved]] = {}
    spools: dict[str, int] = {}
    for home in sorted(directory.glob("worker-*")):
        number = re.fullmatch(r"worker-(\d+)", home.name)
        if number is None:
            continue
        seat = int(number[1])
        for (source, stream), mark in Contents.read(home / "checkpoint").marks.items():
            saved.setdefault(source, []).append(Saved(seat, stream, mark.cursor))
        spools |= {spool.name: seat for spool in home.glob("spool/*") if any(spool.glob("*.seg"))}
    return Seating(workers, saved, spools)
