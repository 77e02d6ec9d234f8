"""The share: which part of a source's streams is this worker's, where several workers run the same source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from logintel.event import Json


class Saved(NamedTuple):
    """A stream that had a cursor when the workers were started, and the seat whose checkpoint has it."""

    seat: int
    stream: str
    cursor: Json


@dataclass(frozen=True, slots=True)
class Share:
    """A seat is a checkpoint with its directory: streams stay with theirs, whatever the number of workers is now.

    seat   the one that this is for
    seats  how many take new streams: those below this number
    saved  streams of all seats, by source; the same for all, so that each decides alike whose something is
    """

    seat: int
    seats: int
    saved: Mapping[str, Sequence[Saved]] = field(default_factory=dict)

    def place(self, key: bytes) -> int:
        """The seat of something new; always the same for the same key."""
        return crc32(key) % self.seats
