"""The herd: how many bulk requests came while they were refused, and in the first seconds in which they were not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from collector_faults.index import Index

#: Seconds in which collectors learn that they are refused; they are not counted.
_LEARNING: Final = 3.0


@dataclass(frozen=True)
class Herd:
    """Bulk requests, all processes together.

    usual    a second, over the whole run
    refused  a second while they were refused, but for the first seconds
    after    most in any second of the first three in which they were not refused any more
    """

    usual: float
    refused: float
    after: int

    @classmethod
    def of(cls, index: Index) -> Self:
        """What the proxy counted."""
        bulks = sorted(index.proxy.bulks)
        refusals = [(begin, end) for begin, end in index.refusals if end - begin > _LEARNING + 1]
        seconds = sum(end - begin - _LEARNING for begin, end in refusals)
        during = sum(begin + _LEARNING < moment < end for begin, end in refusals for moment in bulks)
        starts = [end + step / 2 for _, end in refusals for step in range(5)]
        after = max((sum(start <= moment < start + 1 for moment in bulks) for start in starts), default=0)
        usual = len(bulks) / (bulks[-1] - bulks[0]) if len(bulks) > 1 else 0.0
        return cls(round(usual, 2), round(during / seconds, 2) if seconds else 0.0, after)

    def report(self) -> str:
        """For a person."""
        return (
            f"bulk requests a second: {self.usual} over the run, {self.refused} while refused, "
            f"at most {self.after} in a second right after"
        )
