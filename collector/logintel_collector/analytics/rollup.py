"""The rollup: rows that a store has counted to points, a bucket at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from logintel_collector.analytics.measures import Measures
from logintel_collector.analytics.point import ALL, Period, Point
from logintel_collector.analytics.values import Values


class Row(NamedTuple):
    """Events of the period that begins at `start` (seconds since 1970).

    group   rows of one group follow each other; the metrics that they bring to a series, no other group does
    series  (dimension, value) of all series that they count for; the value None: they have none
    """

    group: tuple[str, int]
    start: int
    series: tuple[tuple[str, str | None], ...]
    measures: Measures


class Rollup:
    """Takes rows in their order; keeps one group of them in memory, of at most so many values as are told apart."""

    def __init__(self, period: Period, values: Values) -> None:
        self._period, self._values = period, values
        self._group: tuple[str, int] | None = None
        self._start = 0
        self._series: dict[tuple[str, str], Measures] = {}

    def add(self, rows: Iterable[Row]) -> Iterator[Point]:
        """The points that are complete by now."""
        for group, start, series, measures in rows:
            if group != self._group:
                yield from self.finish()
                self._group, self._start = group, start
            for dimension, value in series:
                name = self._values.named(start, dimension, value) if dimension != ALL else ""
                known = self._series.get((dimension, name))
                if known is None:
                    known = self._series[dimension, name] = Measures()
                known.add(measures)

    def finish(self) -> Iterator[Point]:
        """The points of the last group."""
        series, self._series = self._series, {}
        for (dimension, name), measures in series.items():
            yield Point(self._period, self._start, dimension, name, measures.metrics(dimension))
