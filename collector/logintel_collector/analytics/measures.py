"""Measures: what is known of some events together, and can be added up."""

from __future__ import annotations

from dataclasses import dataclass, field

from logintel_collector.analytics.latency import Latency

#: Levels that count as errors.
ERRORS = ("ERROR", "FATAL")


@dataclass(slots=True)
class Measures:
    """Of the events of one series in one period.

    size      bytes of their raw text
    errors    how many have one of the levels ERRORS
    outliers  events that arrived then, but whose own date cannot be believed; they are not among `events`
    latency   how long the events took to the collector
    """

    events: int = 0
    size: int = 0
    errors: int = 0
    outliers: int = 0
    latency: Latency = field(default_factory=Latency)

    def add(self, other: Measures) -> None:
        """Count another's events as well."""
        self.events += other.events
        self.size += other.size
        self.errors += other.errors
        self.outliers += other.outliers
        self.latency.add(other.latency)

    def metrics(self, dimension: str) -> dict[str, float]:
        """metric_name → value; no errors by level, which says it itself."""
        found: dict[str, float] = {}
        if self.events:
            found = {"log_events": self.events, "log_size_bytes": self.size}
            if dimension != "level":
                found |= {"log_errors": self.errors, "log_error_ratio": self.errors / self.events}
            found |= self.latency.metrics()
        if self.outliers:
            found["log_outliers"] = self.outliers
        return found
