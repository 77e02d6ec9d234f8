"""Standing: what a source knows of itself while it runs: what it has still to read, and what it cannot read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class Place(NamedTuple):
    """Where a stream is. `offset`: up to which it was read; `behind`: how much of it is left."""

    offset: int
    behind: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one source, at this moment.

    unit      of offsets and of what is left
    streams   by name; those that have nothing left may be missing
    troubles  what cannot be read → why, in a few words; gone as soon as it can be
    """

    unit: Literal["bytes", "records"] = "bytes"
    streams: Mapping[str, Place] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)
