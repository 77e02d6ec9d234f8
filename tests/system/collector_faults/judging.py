"""Judging: looks into the three servers and the webhook until all is there, and then compares everything."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field

from faults.history import History
from faults.lines import Line

from collector_faults.findings import Findings, lines_of
from collector_faults.senders import Plan
from collector_faults.surroundings import Surroundings
from collector_faults.verdict import Verdict, stages_of


@dataclass
class Judge:
    """`told`: ids of the notifications that the webhook has had up to now."""

    plan: Plan
    history: History
    servers: Surroundings
    findings: Findings
    told: set[str]
    _seen: tuple[int, ...] = ()
    _moved: float = field(default_factory=time.monotonic)

    def standing_still(self) -> float:
        """Seconds for which nothing more was processed, stored or told of."""
        seen = (
            self.findings.processed.total(),
            sum(map(len, self.findings.letters.values())),
            self.servers.index.count(),
            self._rows(),
            len(self.told),
            sum(self._counted().values()),
        )
        if seen != self._seen:
            self._seen, self._moved = seen, time.monotonic()
        return time.monotonic() - self._moved

    def complete(self) -> bool:
        """Whether as much is stored, counted and told as there should be: cheap to ask, often."""
        self.findings.read()
        sent = self.history.lines(confirmed=True)
        through, *stores = stages_of(sent, self.findings, Counter(), Counter())
        counts = (self.servers.index.count, self._rows)
        return (
            not through.missing
            and all(count() >= len(stage.missing) for stage, count in zip(stores, counts, strict=True))
            and self._counted() == self.plan.watched
            and not self._untold()
        )

    def verdict(self) -> Verdict:
        """Everything against everything."""
        self.findings.read()
        documents = self._documents()
        rows = Counter[Line]()
        entries = self.servers.tables.fetch(
            "SELECT coalesce(message, '') || ' ' || coalesce(log_id, '') FROM log_entries"
        )
        rows = lines_of(row[0].encode() for row in entries)
        sent = self.history.lines(confirmed=True)
        return Verdict(
            stages_of(sent, self.findings, documents, rows),
            self.plan.watched,
            self._counted(),
            frozenset(self._untold()),
            self.findings.nameless,
            dict(self.findings.reasons),
        )

    def _documents(self) -> Counter[Line]:
        """By line: documents, whose ids are their own."""
        found = list(self.servers.index.documents())
        return lines_of(text for _, text in found)

    def _rows(self) -> int:
        return int(self.servers.tables.fetch("SELECT count(*) FROM log_entries")[0][0])

    def _counted(self) -> dict[str, int]:
        rows = self.servers.tables.fetch("SELECT metadata FROM alerts")
        counted = Counter[str]()
        for row in rows:
            metadata = json.loads(row["metadata"])
            counted[metadata["group"]["metadata.source"]] += metadata["count"]
        return dict(counted)

    def _untold(self) -> set[str]:
        """Notifications that the webhook, the topic or the index lacks."""
        rows = self.servers.tables.fetch("SELECT id::text, alert_id::text FROM outbox")
        indexed = self.servers.index.alerts()
        heard = self.told & self.findings.notifications
        return {row["id"] for row in rows if row["id"] not in heard or row["alert_id"] not in indexed}
