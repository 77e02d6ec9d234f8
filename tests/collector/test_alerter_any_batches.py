"""Alerts are the same however the documents are cut into batches and wherever the alerter starts again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.event import Json
from logintel_collector.alert import Alert, Changes, Notification, RuleState
from logintel_collector.alerter import Alerter
from logintel_collector.document import Document
from logintel_collector.rules.rule import Rule, RuleConfig, rule_from

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTS = ("web-1", "web-2", None)


def document(number: int, second: int, host: str | None) -> Document:
    stamp = (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    source: dict[str, Json] = {
        "log_id": f"id-{number}",
        "source_id": "s",
        "timestamp": stamp,
        "message": "down",
        "level": "ERROR",
    }
    source["parsed_fields"] = {"host": host} if host else {}
    return Document(source, orjson.dumps(source))


def rule(name: str, **conditions: Any) -> Rule:
    written = {"name": name, "query": "level:ERROR", "conditions": conditions, "severity": "MEDIUM"}
    config = RuleConfig.model_validate(written)
    return rule_from(config, "logintel", lambda source: source["level"] == "ERROR")


def threshold(count: int, size: int, after_match: str, **more: Any) -> Rule:
    return rule(
        "burst",
        type="threshold",
        window=f"{size}s",
        count=count,
        after_match=after_match,
        group_by="parsed_fields.host",
        **{"time": {"allowed_lateness": "60s"}, **more},
    )


class Saved:
    """What a store keeps of the changes, and how an alerter starts from it."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.alerts: dict[str, Alert] = {}
        self.states: dict[tuple[str, str], RuleState] = {}
        self.told: dict[str, Notification] = {}

    def start(self) -> Alerter:
        open_alerts = [alert for alert in self.alerts.values() if alert.status in ("OPEN", "ACKNOWLEDGED")]
        return Alerter(self.rules, list(self.states.values()), open_alerts, lambda: START + timedelta(days=400))

    def save(self, changes: Changes) -> None:
        self.alerts |= {alert.id: alert for alert in changes.alerts}
        for state in changes.states:
            self.states[state.rule_id, state.group] = state
        self.told |= {notification.id: notification for notification in changes.notifications}

    def everything(self) -> Any:
        return (
            {key: asdict(alert) for key, alert in self.alerts.items()},
            self.states,
            {key: notification.body for key, notification in self.told.items()},
        )


def evaluated_at_once(rules: list[Rule], documents: Sequence[Document]) -> Saved:
    saved = Saved(rules)
    saved.save(saved.start().evaluate(documents))
    return saved


EVENTS = st.lists(st.tuples(st.integers(0, 100), st.sampled_from(HOSTS)), max_size=60)
RULES = st.tuples(st.integers(1, 5), st.integers(1, 40), st.sampled_from(("reset", "keep")))


@settings(deadline=None)
@given(EVENTS, RULES, st.data())
def test_any_cut_into_batches_and_any_restart_gives_the_same(
    events: list[tuple[int, str | None]], made: tuple[int, int, str], data: st.DataObject
) -> None:
    documents = [document(number, *event) for number, event in enumerate(events)]
    rules = [threshold(*made, recovery={"after": "20s"}), rule("any", type="match", group_by="parsed_fields.host")]
    saved = Saved(rules)
    alerter = saved.start()
    rest = documents
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        batch, rest = rest[:size], rest[size:]
        if data.draw(st.booleans()):
            saved.start().evaluate(batch)  # evaluated and lost: it crashed before saving
            alerter = saved.start()
        saved.save(alerter.evaluate(batch))
    assert saved.everything() == evaluated_at_once(rules, documents).everything()


def by_hand(seconds: list[int], count: int, size: int, *, reset: bool) -> tuple[list[int], int]:
    """Every window counted anew at each event: which events breach, and the events that alerts have counted."""
    live: list[tuple[int, int]] = []
    breaching: list[int] = []
    counted: set[int] = set()
    for number, second in enumerate(seconds):
        live.append((second, number))
        windows = [
            [event for event in live if end - size < event[0] <= end]
            for end, _ in sorted(live)
            if end - size < second <= end
        ]
        fullest = max(windows, key=len)
        if len(fullest) < count:
            continue
        breaching.append(number)
        if reset:
            counted |= {event[1] for event in fullest}
            live = [event for event in live if event not in fullest]
    return breaching, len(counted)


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 30))
def test_reset_counts_what_counting_by_hand_counts(seconds: list[int], count: int, size: int) -> None:
    documents = [document(number, second, "web-1") for number, second in enumerate(seconds)]
    saved = evaluated_at_once([threshold(count, size, "reset")], documents)
    breaching, counted = by_hand(seconds, count, size, reset=True)
    assert [alert.log_entry_id for alert in saved.alerts.values()] == [f"id-{number}" for number in breaching[:1]]
    assert sum(int(str(alert.metadata["count"])) for alert in saved.alerts.values()) == counted


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 30))
def test_keep_fires_with_the_event_that_counting_by_hand_fires_with(seconds: list[int], count: int, size: int) -> None:
    documents = [document(number, second, "web-1") for number, second in enumerate(seconds)]
    saved = evaluated_at_once([threshold(count, size, "keep", suppress={"realert": "0s"})], documents)
    breaching, _ = by_hand(seconds, count, size, reset=False)
    assert len(saved.told) == len(breaching)
    assert [alert.log_entry_id for alert in saved.alerts.values()] == [f"id-{number}" for number in breaching[:1]]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 10)), min_size=100, max_size=200),
    st.integers(2, 4),
    st.integers(1, 20),
    st.sampled_from(("reset", "keep")),
)
def test_forgetting_old_events_changes_nothing_while_events_come_in_time(
    steps: list[tuple[int, int]], count: int, size: int, after_match: str
) -> None:
    times = list(accumulate(gap for gap, _ in steps))
    delayed = sorted(zip(times, steps, strict=True), key=lambda event: event[0] + event[1][1])
    seconds = [second for second, _ in delayed]
    documents = [document(number, second, "web-1") for number, second in enumerate(seconds)]
    lateness = {"allowed_lateness": "10s"}
    saved = evaluated_at_once(
        [threshold(count, size, after_match, suppress={"realert": "0s"}, time=lateness)], documents
    )
    breaching, _ = by_hand(seconds, count, size, reset=after_match == "reset")
    assert len(saved.told) == len(breaching)
    assert all(state.state is not None and len(state.state) < 4000 for state in saved.states.values())


@settings(deadline=None)
@given(st.permutations(range(0, 60, 4)), st.integers(2, 5), st.integers(5, 30))
def test_whether_a_kept_window_fires_does_not_depend_on_the_order(seconds: list[int], count: int, size: int) -> None:
    documents = [document(number, second, "web-1") for number, second in enumerate(seconds)]
    saved = evaluated_at_once([threshold(count, size, "keep")], documents)
    assert bool(saved.alerts) == (4 * (count - 1) < size)
