"""The tally of a run: every event that was read, by what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from logintel.event import UNPARSED, Json
from logintel_collector.alert import Alert
from logintel_collector.embedded_step import Step


@dataclass(slots=True)
class Tally:
    """Counts of this run. An event is indexed, a dead letter, filtered, or a repeat of one that was indexed before.

    alerts  those raised in this run, by id, as they stand
    """

    indexed: int = 0
    dead_letters: int = 0
    filtered: int = 0
    repeats: int = 0
    unparsed: int = 0
    kinds: Counter[tuple[Json, Json, Json]] = field(default_factory=Counter)
    alerts: dict[str, Alert] = field(default_factory=dict)
    known_alerts: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Every event that came through: read in this run, or left on the bus by the one before."""
        return self.indexed + self.dead_letters + self.filtered + self.repeats

    def add(self, step: Step) -> None:
        """Count what a step stored."""
        documents = step.processed.documents
        self.indexed += len(documents)
        self.dead_letters += len(step.processed.dead_letters)
        self.repeats += step.processed.repeats
        for document in documents:
            source = document.source
            metadata = source["metadata"]
            assert isinstance(metadata, dict)
            self.kinds[metadata.get("source"), source["level"], metadata.get("format")] += 1
            tags = source["tags"]
            if tags and isinstance(tags, list) and UNPARSED in tags:
                self.unparsed += 1
        self.alerts.update({alert.id: alert for alert in step.changes.alerts if alert.id not in self.known_alerts})

    def add_dropped(self, dropped: Mapping[str, int]) -> None:
        """Count what the agent did not send, by reason: what redaction held back is kept as dead letters."""
        for reason, count in dropped.items():
            if reason.startswith("redaction_"):
                self.dead_letters += count
            else:
                self.filtered += count

    def by(self, place: int) -> list[tuple[str, int]]:
        """Events by source (0), level (1) or format (2), the most first."""
        totals: Counter[str] = Counter()
        for kind, count in self.kinds.items():
            totals[str(kind[place] or "not stated")] += count
        return totals.most_common()
