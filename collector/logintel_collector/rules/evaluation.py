"""The evaluation: one rule over batches of documents, group by group; what it remembers is bounded."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final

import structlog

from logintel.duration import Duration
from logintel_collector.alert import Alert, Changes, RuleState
from logintel_collector.document import Document
from logintel_collector.rules import episode
from logintel_collector.rules.breach import Breach, condition_of
from logintel_collector.rules.group import GroupState, Sighting, decode, encode, micros, sighting, timestamp
from logintel_collector.rules.rule import Rule

#: How long without a match ends an alert of a rule that does not say.
QUIET: Final = Duration("1d")
_log = structlog.get_logger(__name__)


class Evaluation:
    """One rule, its groups, and what of them has changed since the last answer."""

    def __init__(self, rule: Rule, max_groups: int) -> None:
        self.rule = rule
        self.evicted = 0
        self.failures = 0
        self._max_groups = max_groups
        self._condition = condition_of(rule)
        self._groups: dict[str, GroupState] = {}
        self._touched: dict[str, GroupState | None] = {}
        self._alerts: dict[str, Alert] = {}
        recovery = rule.conditions.recovery
        self._after = micros(recovery.after) if recovery else None
        self._quiet = self._after or micros(QUIET)
        self._realert = micros(rule.conditions.suppress.realert)

    def restore(self, key: str, state: bytes, alerts: dict[str, Alert], revision: str) -> None:
        self._groups[key] = decode(state, alerts, same_revision=revision == self.rule.revision)

    def evaluate(self, matching: Sequence[Document], now: int, changes: Changes) -> None:
        for document in matching:
            if seen := sighting(document, self.rule.conditions.group_by, now):
                self._add(seen, now, changes)
        if matching:
            self._evict(now)
            self._report(changes)

    def settle(self, now: int, changes: Changes) -> None:
        if self._after is None:
            return
        for key, state in self._groups.items():
            if state.alert and now - state.heard_at >= self._after:
                self._touched[key] = state
                self._end(state, state.alert, now, now, changes)
        self._report(changes)

    def failed(self, error: Exception) -> None:
        """The rule's query could not judge a document, which counts as no match."""
        if not self.failures:
            _log.error("rule_failed", rule=self.rule.name, rule_id=self.rule.id, reason=repr(error))
        self.failures += 1

    def _add(self, seen: Sighting, now: int, changes: Changes) -> None:
        state = self._touched[seen.key] = self._groups.setdefault(seen.key, GroupState())
        state.last = max(state.last, seen.at)
        breach = self._condition.add(state, seen.at, seen.document.log_id)
        if breach:
            state.heard_at = now
            self._breached(state, seen, breach, now, changes)

    def _breached(self, state: GroupState, seen: Sighting, breach: Breach, now: int, changes: Changes) -> None:
        if state.alert and seen.at > (over := episode.last_seen(state.alert) + self._quiet):
            self._end(state, state.alert, over, now, changes)
        if state.alert is None:
            state.told = 0
            state.alert = episode.opened(self.rule, seen, breach, state.samples)
            self._tell(state, state.alert, "opened", now, changes)
        elif episode.continued(state.alert, seen, breach, state.samples):
            self._tell(state, state.alert, "escalated", now, changes)
        elif now - state.told_at >= self._realert and state.alert.status == "OPEN":
            self._tell(state, state.alert, "repeated", now, changes)
        self._alerts[state.alert.id] = state.alert

    def _end(self, state: GroupState, alert: Alert, at: int, now: int, changes: Changes) -> None:
        """The group's episode is over: nothing matched for long enough. Only a rule with `recovery` tells people."""
        episode.resolved(alert, timestamp(at), "nothing matched for long enough")
        self._alerts[alert.id] = alert
        if self._after is not None:
            self._tell(state, alert, "resolved", now, changes)
        state.alert = None

    def _tell(self, state: GroupState, alert: Alert, occasion: episode.Occasion, now: int, changes: Changes) -> None:
        state.told += 1
        state.told_at = now
        episode.describe(alert, self.rule)
        changes.notifications.append(episode.notification(alert, occasion, state.told, now))

    def _evict(self, now: int) -> None:
        """Forget the groups that were quiet longest, first those without an alert."""
        surplus = len(self._groups) - self._max_groups
        if surplus <= 0:
            return
        for key, state in heapq.nsmallest(
            surplus, self._groups.items(), key=lambda item: (item[1].alert is not None, item[1].last, item[0])
        ):
            del self._groups[key]
            self._touched[key] = None
            if state.alert:
                episode.resolved(state.alert, timestamp(now), f"more than {self._max_groups} groups: no longer watched")
                self._alerts[state.alert.id] = state.alert
        self.evicted += surplus
        _log.warning(
            "groups_evicted", rule=self.rule.name, rule_id=self.rule.id, groups=surplus, limit=self._max_groups
        )

    def _report(self, changes: Changes) -> None:
        """Hand over what has changed, once each, as copies."""
        for key, state in self._touched.items():
            body = None if state is None else encode(state)
            changes.states.append(RuleState(self.rule.id, key, self.rule.revision, body))
        for alert in self._alerts.values():
            episode.describe(alert, self.rule)
            changes.alerts.append(episode.snapshot(alert))
        self._touched.clear()
        self._alerts.clear()
