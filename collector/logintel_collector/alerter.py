"""The alerter: rules over batches of documents. What comes out depends on the documents and the saved state alone.

An alert stays open while its group goes on matching. It is over when the group's next match comes more than
`recovery.after` (by default a day) of event time after the last one, or, with `recovery.after`, when none arrives for
so long by the clock. An event that is older than the alert's last one belongs to the alert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from logintel_collector.alert import Alert, Changes, RuleState
from logintel_collector.document import Document
from logintel_collector.rules.episode import snapshot
from logintel_collector.rules.evaluation import Evaluation
from logintel_collector.rules.group import micros_since_1970
from logintel_collector.rules.rule import Rule

#: Groups that are remembered per rule; beyond it, those that were quiet longest are forgotten.
MAX_GROUPS: Final = 10_000
#: A field that only documents of the alerts topic have: rules never see those.
ALERT_ID: Final = "alert_id"


class Alerter:
    """Evaluates rules. Save what `evaluate` returns, or throw the alerter away: it has already moved on.

    evicted   groups that were forgotten for want of room
    failures  documents that a rule's query failed on
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        states: Iterable[RuleState],
        open_alerts: Iterable[Alert],
        clock: Callable[[], datetime],
        max_groups: int = MAX_GROUPS,
    ) -> None:
        """Go on from what was saved. `open_alerts` are the OPEN and ACKNOWLEDGED ones, `clock` answers in UTC."""
        self._rules = {rule.id: Evaluation(rule, max_groups) for rule in rules}
        self._clock = clock
        alerts = {alert.id: snapshot(alert) for alert in open_alerts}
        for state in states:
            if (evaluation := self._rules.get(state.rule_id)) and state.state is not None:
                evaluation.restore(state.group, state.state, alerts, state.revision)

    @property
    def evicted(self) -> int:
        return sum(evaluation.evicted for evaluation in self._rules.values())

    @property
    def failures(self) -> int:
        return sum(evaluation.failures for evaluation in self._rules.values())

    def evaluate(self, documents: Iterable[Document]) -> Changes:
        """What the documents change, to be saved in the transaction that moves past them.

        They are asked for one at a time, and kept only where a rule's query matches.
        """
        now = self._now()
        changes = Changes()
        for evaluation, matching in self._matching(documents):
            evaluation.evaluate(matching, now, changes)
        return changes

    def settle(self) -> Changes:
        """What time alone changes: alerts whose `recovery.after` has passed by the clock. For quiet moments."""
        now = self._now()
        changes = Changes()
        for evaluation in self._rules.values():
            evaluation.settle(now, changes)
        return changes

    def _matching(self, documents: Iterable[Document]) -> list[tuple[Evaluation, list[Document]]]:
        """What each rule's query matches. One document after the other, so that rules share what is read of it."""
        found: list[tuple[Evaluation, list[Document]]] = [(evaluation, []) for evaluation in self._rules.values()]
        tests = [(evaluation, evaluation.rule.predicate, matching.append) for evaluation, matching in found]
        for document in documents:
            source = document.source
            if ALERT_ID in source:
                continue
            for evaluation, matches, add in tests:
                try:
                    if matches(source):
                        add(document)
                except Exception as error:  # noqa: BLE001 - a query that fails must stop neither its rule nor the others
                    evaluation.failed(error)
        return found

    def _now(self) -> int:
        return micros_since_1970(self._clock())
