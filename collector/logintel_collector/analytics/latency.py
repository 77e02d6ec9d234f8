"""Latency: how long events took from their own date to the collector, as a distribution that can be added up.

Percentiles cannot: those of a host are not made of those of the fields that name it. So what a store tells of a
distribution is kept as segments, over which its events are spread evenly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

#: The percentiles of a distribution that are asked for; the first and the last are the least and the most.
PERCENTS: Final = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0)
#: Those that become metrics, as shares.
_TOLD: Final = {"log_latency_seconds_p50": 0.50, "log_latency_seconds_p95": 0.95, "log_latency_seconds_p99": 0.99}
#: Binary digits that are kept of a latency, and segments of a distribution that are kept apart.
_BITS: Final = 7
_MOST: Final = 4096

#: (low, high), milliseconds.
Span: TypeAlias = tuple[float, float]


@dataclass(slots=True)
class Latency:
    """`segments`: how many events are between low and high."""

    segments: dict[Span, float] = field(default_factory=dict)

    @classmethod
    def between(cls, values: Mapping[str, float | None], count: int) -> Latency:
        """Of what Elasticsearch says PERCENTS of `count` events are; empty where no event has a latency."""
        found, latency = [values[str(percent)] for percent in PERCENTS], cls()
        for n, (low, high) in enumerate(pairwise(found)):
            if low is not None and high is not None:
                latency.put((low, high), count * (PERCENTS[n + 1] - PERCENTS[n]) / 100)
        return latency

    @classmethod
    def of_coarse(cls, milliseconds: int | None, count: int) -> Latency:
        """Of `count` events of which `coarse` made the same."""
        if milliseconds is None:
            return cls()
        width = 1 << max(milliseconds.bit_length() - _BITS, 0) if milliseconds > 0 else 1
        return cls({(milliseconds, milliseconds + width - 1): count})

    def put(self, span: Span, weight: float) -> None:
        """Count events between."""
        self.segments[span] = self.segments.get(span, 0) + weight

    def add(self, other: Latency) -> None:
        """Count another's as well; of more than so many segments only their PERCENTS are kept."""
        for span, weight in other.segments.items():
            self.put(span, weight)
        if len(self.segments) > _MOST:
            total = sum(self.segments.values())
            values = _quantiles(self.segments, [percent / 100 for percent in PERCENTS])
            named = {str(percent): value for percent, value in zip(PERCENTS, values, strict=True)}
            self.segments = Latency.between(named, round(total)).segments

    def metrics(self) -> dict[str, float]:
        """Seconds, to the millisecond; what lies in the future is 0. Nothing where no event has a latency."""
        if not self.segments:
            return {}
        told = zip(_TOLD, _quantiles(self.segments, _TOLD.values()), strict=True)
        most = max(high for _, high in self.segments)
        return {name: _seconds(value) for name, value in (*told, ("log_latency_seconds_max", most))}


def coarse(milliseconds: int | None) -> int | None:
    """Seven binary digits of it (less than 1.6 % below): few values, so that events with the same can be counted."""
    if milliseconds is None or milliseconds <= 0:
        return milliseconds
    shift = max(milliseconds.bit_length() - _BITS, 0)
    return milliseconds >> shift << shift


def _seconds(milliseconds: float) -> float:
    return max(round(milliseconds), 0) / 1000


def _quantiles(segments: Mapping[Span, float], shares: Iterable[float]) -> list[float]:
    """The values below which `shares` (rising) of all events are: one sweep over where segments begin and end."""
    edges: dict[float, list[float]] = {}
    for (low, high), weight in segments.items():
        begin = edges.setdefault(low, [0.0, 0.0])
        if low == high:
            begin[0] += weight
        else:
            rate = weight / (high - low)
            begin[1] += rate
            edges.setdefault(high, [0.0, 0.0])[1] -= rate
    total = sum(segments.values())
    targets = [total * share for share in shares]
    found: list[float] = []
    below, rate, place = 0.0, 0.0, min(edges)
    for edge in sorted(edges):
        risen = rate * (edge - place)
        while len(found) < len(targets) and risen > 0 and below + risen >= targets[len(found)]:
            found.append(place + (targets[len(found)] - below) / rate)
        jump, change = edges[edge]
        below, rate, place = below + risen + jump, rate + change, edge
        while len(found) < len(targets) and jump and below >= targets[len(found)]:
            found.append(edge)
    return found + [place] * (len(targets) - len(found))
