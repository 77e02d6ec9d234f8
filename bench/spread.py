"""The spread: what rounds measured, as their median, least and most."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import NamedTuple


class Spread(NamedTuple):
    """In the unit of what was measured."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of at least one round."""
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1])

    def shown(self, factor: float, digits: int) -> str:
        """`median (least-most)`, each times `factor`."""
        median, least, most = (f"{value * factor:,.{digits}f}" for value in self)
        return f"{median} ({least}-{most})"
