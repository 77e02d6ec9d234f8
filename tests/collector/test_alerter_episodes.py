"""What becomes of alerts: levels, repeats, recovery, edited rules, bounds, failing queries."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from logintel.event import Json
from logintel_collector.alert import Alert, Changes
from logintel_collector.alerter import Alerter
from logintel_collector.document import Document
from logintel_collector.rules.rule import Rule, RuleConfig, rule_from

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = START + timedelta(days=400)
FREQUENCY = json.loads((Path(__file__).parent / "data" / "rules" / "frequency.json").read_text())


def document(name: str, second: float, **fields: Json) -> Document:
    stamp = (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    source: dict[str, Json] = {"log_id": name, "source_id": "s", "timestamp": stamp, "message": "down", **fields}
    return Document(source, orjson.dumps(source))


def each(*seconds: float, **fields: Json) -> list[Document]:
    return [document(f"{second}", second, **fields) for second in seconds]


def everything(_: dict[str, Json]) -> bool:
    return True


def rule(predicate: Callable[[dict[str, Json]], bool] = everything, **conditions: Any) -> Rule:
    written = {
        "name": f"down {predicate.__name__}",
        "query": {"match_all": {}},
        "conditions": conditions,
        "severity": "MEDIUM",
    }
    return rule_from(RuleConfig.model_validate(written), "logintel", predicate)


class Clock:
    def __init__(self) -> None:
        self.now = LATER

    def __call__(self) -> datetime:
        return self.now


def alerter(*rules: Rule, clock: Callable[[], datetime] = lambda: LATER, **more: Any) -> Alerter:
    return Alerter(rules, [], [], clock, **more)


def occasions(changes: Changes) -> list[Json]:
    return [notification.body["occasion"] for notification in changes.notifications]


def by_group(changes: Changes) -> dict[str, Alert]:
    return {str(alert.metadata["where"]): alert for alert in changes.alerts}


@pytest.mark.parametrize("vector", FREQUENCY, ids=lambda vector: vector["id"])
def test_windows_count_as_elastalert_counts_but_for_its_holes(vector: dict[str, Any]) -> None:
    conditions = vector["conditions"]
    keys = conditions.get("query_key", [])
    frequency = rule(
        type="threshold",
        window=f"{conditions['timeframe']}s",
        count=conditions["num_events"],
        group_by=[{"field": key, "missing": "group"} for key in ([keys] if isinstance(keys, str) else keys)],
        suppress={"realert": "0s"},
    )
    watching = alerter(frequency)
    matched = [
        event["id"]
        for event in vector["events"]
        if watching.evaluate(
            [document(event["id"], event["t"], **{key: event[key] for key in ("u", "h") if key in event})]
        ).notifications
    ]
    assert matched == vector.get("ours", vector["matches"])


def test_the_severity_follows_the_highest_level_that_is_reached() -> None:
    levels = [{"gte": 4, "severity": "CRITICAL"}, {"gte": 2, "severity": "LOW"}]
    changes = alerter(rule(type="threshold", window="1m", levels=levels)).evaluate(each(1, 2, 3, 4))
    (alert,) = changes.alerts
    assert (alert.severity, alert.metadata["count"], alert.metadata["threshold"]) == ("CRITICAL", 4, 4)
    assert occasions(changes) == ["opened", "escalated"]


def test_an_alert_goes_on_until_nothing_matched_for_a_day() -> None:
    day = 24 * 3600
    changes = alerter(rule(type="match")).evaluate(each(0, day, 2 * day + 1))
    over, new = changes.alerts
    assert (over.status, over.metadata["count"], over.resolved_at) == ("RESOLVED", 2, "2026-03-03T12:00:00.000000Z")
    assert (new.status, new.metadata["count"], new.resolved_at) == ("OPEN", 1, None)
    assert occasions(changes) == ["opened", "opened"]


def test_an_older_event_belongs_to_the_alert_that_is_open() -> None:
    (alert,) = alerter(rule(type="match", recovery={"after": "1m"})).evaluate(each(3600, 0)).alerts
    assert (alert.metadata["count"], alert.metadata["first_seen"]) == (2, "2026-03-01T12:00:00.000000Z")


def test_time_alone_ends_an_alert_that_says_when() -> None:
    clock = Clock()
    watching = alerter(rule(type="match", recovery={"after": "10m"}), clock=clock)
    watching.evaluate(each(0))
    clock.now += timedelta(minutes=9)
    assert watching.settle() == Changes()
    clock.now += timedelta(minutes=1)
    changes = watching.settle()
    assert [alert.status for alert in changes.alerts] == ["RESOLVED"]
    assert occasions(changes) == ["resolved"]
    assert watching.settle() == Changes()


def test_people_are_told_again_only_after_a_while() -> None:
    clock = Clock()
    watching = alerter(rule(type="match", suppress={"realert": "30m"}), clock=clock)
    told = []
    for second in range(5):
        told += occasions(watching.evaluate(each(second)))
        clock.now += timedelta(minutes=10)
    assert told == ["opened", "repeated"]


def test_nobody_is_told_again_of_what_somebody_took_up() -> None:
    again = rule(type="match", suppress={"realert": "0s"})
    first = alerter(again).evaluate(each(0))
    (alert,) = first.alerts
    alert.status = "ACKNOWLEDGED"
    changes = Alerter([again], first.states, [alert], lambda: LATER).evaluate(each(1))
    assert not changes.notifications
    assert [(each.id, each.status, each.metadata["count"]) for each in changes.alerts] == [
        (alert.id, "ACKNOWLEDGED", 2)
    ]


def test_an_alert_that_somebody_closed_is_followed_by_a_new_one() -> None:
    first = alerter(rule(type="match")).evaluate(each(0))
    changes = Alerter([rule(type="match")], first.states, [], lambda: LATER).evaluate(each(1))
    assert [alert.metadata["count"] for alert in changes.alerts] == [1]
    assert changes.alerts[0].id != first.alerts[0].id


def test_an_edited_rule_counts_anew_and_keeps_its_alert() -> None:
    before = rule(type="threshold", window="1m", count=3)
    first = alerter(before).evaluate(each(1, 2, 3, 4, 5))
    after = rule(type="threshold", window="2m", count=3)
    watching = Alerter([after], first.states, first.alerts, lambda: LATER)
    assert not watching.evaluate(each(6)).alerts
    assert [alert.id for alert in watching.evaluate(each(7, 8)).alerts] == [first.alerts[0].id]


def test_changing_only_who_is_told_when_keeps_the_window() -> None:
    first = alerter(rule(type="threshold", window="1m", count=3)).evaluate(each(1, 2))
    edited = rule(type="threshold", window="1m", count=3, suppress={"realert": "5m"}, recovery={"after": "1h"})
    assert Alerter([edited], first.states, [], lambda: LATER).evaluate(each(3)).alerts


def test_an_event_of_the_far_future_does_not_keep_its_alert_open_until_then() -> None:
    clock = Clock()
    clock.now = START
    watching = alerter(rule(type="match"), clock=clock)
    (early,) = watching.evaluate(each(3e9)).alerts
    assert early.metadata["last_seen"] == "2026-03-01T12:00:00.000000Z"
    clock.now += timedelta(hours=25)
    assert [alert.status for alert in watching.evaluate(each(25 * 3600)).alerts] == ["RESOLVED", "OPEN"]


def test_groups_are_bounded_and_what_is_forgotten_is_seen() -> None:
    count = rule(type="threshold", window="1m", count=2, group_by="user")
    watching = alerter(count, max_groups=3)
    first = watching.evaluate([document(f"{user}", user, user=user) for user in range(3)])
    with capture_logs() as logs:
        changes = watching.evaluate([document("3", 3, user=3), document("again", 4, user=1)])
    forgotten = [state.group for state in changes.states if state.state is None]
    assert (watching.evicted, forgotten) == (1, ["[0]"])
    assert [entry["event"] for entry in logs] == ["groups_evicted"]
    assert {state.group for state in first.states} == {"[0]", "[1]", "[2]"}
    assert list(by_group(changes)) == ["user=1"]


def test_a_group_with_an_alert_is_forgotten_last_and_its_alert_is_ended() -> None:
    count = rule(type="threshold", window="1m", levels=[{"gte": 2}], group_by="user")
    watching = alerter(count, max_groups=1)
    watching.evaluate([document("0", 0, user="open"), document("1", 1, user="open")])
    quiet = watching.evaluate([document("2", 2, user="new")])
    assert ([state.group for state in quiet.states if state.state is None], quiet.alerts) == (['["new"]'], [])
    (ended, other) = watching.evaluate([document(f"{second}", second, user="also open") for second in (3, 4)]).alerts
    assert {(each.metadata["where"], each.status) for each in (ended, other)} == {
        ("user=open", "RESOLVED"),
        ("user=also open", "OPEN"),
    }


def test_alerts_of_two_groups_that_one_event_begins_are_two() -> None:
    ids = {
        alert.id
        for user in ("a", "b")
        for alert in alerter(rule(type="match", group_by="user")).evaluate([document("same", 0, user=user)]).alerts
    }
    assert len(ids) == 2


def test_a_query_that_fails_on_an_event_is_reported_once_and_stops_nothing() -> None:
    def fails(source: dict[str, Json]) -> bool:
        if source["message"] == "odd":
            raise ZeroDivisionError("by the query")
        return True

    watching = alerter(rule(fails, type="match"), rule(type="match"))
    with capture_logs() as logs:
        changes = watching.evaluate([*each(0), document("odd", 1, message="odd"), *each(2)])
        watching.evaluate([document("odd", 3, message="odd")])
    assert watching.failures == 2
    assert [entry["event"] for entry in logs] == ["rule_failed"]
    assert [alert.metadata["count"] for alert in changes.alerts] == [2, 3]


def test_rules_never_see_alerts() -> None:
    assert alerter(rule(type="match")).evaluate([document("a", 0, alert_id="x")]) == Changes()


@pytest.mark.parametrize(
    ("fields", "groups"),
    [
        ([{"user": "a"}, {"user": "b"}, {"user": "a"}], ["user=a", "user=b"]),
        ([{"metadata": {"user": "a"}}, {}, {"user": None}, {"user": []}], []),
        ([{"user": ["a"]}, {"user": "a"}], ["user=a"]),
        ([{"user": ["a", "b"]}], ['user=["a","b"]']),
        ([{"user": 1}, {"user": "1"}], ["user=1", "user=1"]),
        ([{"user": "x" * 5000}, {"user": "x" * 5000}], [f"user={'x' * 99}…"]),
    ],
)
def test_events_are_kept_apart_by_their_group(fields: Sequence[dict[str, Json]], groups: list[str]) -> None:
    documents = [document(f"{number}", number, **more) for number, more in enumerate(fields)]
    changes = alerter(rule(type="match", group_by="user")).evaluate(documents)
    assert [alert.metadata["where"] for alert in changes.alerts] == groups
    assert all(len(state.group) < 600 for state in changes.states)


def test_a_dotted_field_is_found_nested_and_flat() -> None:
    nested, flat = document("1", 0, metadata={"a": {"b": 1}}), document("2", 1, metadata={"a.b": 1})
    changes = alerter(rule(type="match", group_by="metadata.a.b")).evaluate([nested, flat])
    assert [alert.metadata["count"] for alert in changes.alerts] == [2]


def test_what_is_handed_over_does_not_change_with_later_events() -> None:
    watching = alerter(rule(type="match"))
    first = watching.evaluate(each(0))
    watching.evaluate(each(1))
    assert first.alerts[0].metadata["count"] == 1
