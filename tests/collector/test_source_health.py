"""The rules of sources' health, over hours and days that a test makes pass: what is noticed when, and what does not flap.

What users complain of at peers: an agent that has died shows as healthy; one that restarts raises an alarm; hosts whose
clocks are wrong are taken for dead.
"""

from __future__ import annotations

from typing import Any

import pytest

from logintel_collector.source_health import Health
from logintel_collector.source_health.clock import BrokerClock
from logintel_collector.source_health.memory import Memory
from logintel_collector.source_health.watch import Change, Watch

SHOP, OTHER = "6c427d49-81b1-5d1d-a2d2-c827c45ed9cf", "00000000-81b1-5d1d-a2d2-c827c45ed9cf"
KEY = (SHOP, "web01")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NOW = 1_700_000_000.0
Values = dict[str, Any]


class Field:
    """A watch, and agents that beat every 5 seconds while time passes. The keeper's own clock is 7 hours ahead."""

    def __init__(self, memories: dict[tuple[str, str], Memory] | None = None, at: float = 0.0) -> None:
        self.elapsed = at
        clock = BrokerClock(monotonic=lambda: self.elapsed, wall=lambda: NOW + self.elapsed + 7 * HOUR)
        self.watch = Watch(memories or {}, clock)
        self.changes: list[Change] = []

    def beat(self, host: str = "web01", worker: str = "0", config: str = "a", **source: Any) -> None:
        """`source`: what it says of the source; `sources` instead: all of them."""
        sources = source.pop("sources", [{"id": SHOP, "name": "shop", "type": "application", **source}])
        values: Values = {"config_version": config, "version": "1", "sources": sources}
        values |= {key: source[key] for key in ("stopped", "bus") if key in source}
        self.watch.hear(host, worker, "agent", values, NOW + self.elapsed)

    def look(self, after: float = 0.0) -> Health | None:
        self.elapsed += after
        self.changes += self.watch.judge()
        memory = self.watch.memories.get(KEY)
        return memory.health if memory else None

    def live(self, seconds: float, every: float = 5.0, read: int = 0, **source: Any) -> Health | None:
        """Beat and look for so long; `read`: events with each beat."""
        health = None
        for _ in range(int(seconds / every)):
            self.elapsed += every
            self.events += read
            self.beat(events_read=self.events, **source)
            health = self.look()
        return health

    events = 0

    @property
    def reason(self) -> str:
        return self.watch.memories[KEY].reason


def test_a_source_that_reads_is_healthy_from_its_first_heartbeat() -> None:
    field = Field()
    assert field.look() is None
    assert field.live(5) == "healthy"
    assert field.changes == [Change("shop", "web01", None, "healthy", "")]


def test_an_agent_that_is_not_heard_for_three_heartbeats_makes_it_unhealthy() -> None:
    field = Field()
    field.live(MINUTE)
    assert field.look(89) == "healthy"
    assert field.look(2) == "healthy"  # one look is no proof
    assert field.look(10) == "unhealthy"
    assert field.reason == "nothing is heard of the agent"
    assert field.live(29) == "unhealthy"
    assert field.live(10) == "healthy"
    assert [change.now for change in field.changes] == ["healthy", "unhealthy", "healthy"]


def test_an_agent_that_starts_again_is_no_alarm_and_one_that_was_stopped_is() -> None:
    field = Field()
    field.live(MINUTE)
    field.beat(stopped=True, state="ended")
    assert field.look(20) == "healthy"
    assert field.live(MINUTE) == "healthy"
    field.beat(stopped=True, state="ended")
    field.look(31)
    assert field.look(11) == "unhealthy"
    assert field.reason == "the agent was stopped"


def test_what_comes_and_goes_does_not_flap() -> None:
    field = Field()
    field.live(MINUTE)
    trouble: Values = {"troubled": 1, "troubles": [{"what": "/var/log/x", "reason": "Permission denied"}]}
    for _ in range(20):
        field.live(5, **trouble)
        assert field.live(5) == "healthy"
    assert field.live(20, **trouble) == "degraded"
    assert field.reason == "/var/log/x: Permission denied"
    for _ in range(20):
        field.live(5, **trouble)
        assert field.live(20) == "degraded"
    assert field.live(40) == "healthy"
    assert len(field.changes) == 3


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            {"state": "failing", "last_error": {"at": "x", "text": "no such host"}},
            "it fails and is tried again: no such",
        ),
        ({"waits_for": 75.0}, "nothing was acknowledged for 1 min 15 s"),
        ({"bus": {"trouble": "broker away"}}, "the bus takes nothing: broker away"),
    ],
)
def test_trouble_degrades(said: Values, reason: str) -> None:
    field = Field()
    field.live(MINUTE)
    assert field.live(20, **said) == "degraded"
    assert field.reason.startswith(reason)


def test_a_source_that_ends_while_its_agent_runs_is_unhealthy() -> None:
    field = Field()
    field.live(MINUTE)
    assert field.live(20, state="ended") == "unhealthy"
    assert field.reason == "the source has ended"


def test_a_run_that_ends_leaves_it_as_it_was() -> None:
    field = Field()
    field.beat(state="finished", stopped=True)
    assert field.look() == "healthy"
    assert field.look(DAY) == "healthy"


def test_lag_that_does_not_shrink_degrades_and_a_backlog_that_is_worked_off_does_not() -> None:
    field = Field()
    lag = 0
    for _ in range(30):
        lag += 1_000_000
        health = field.live(5, read=1, lag_bytes=lag)
    assert health == "degraded"
    assert field.reason == "it falls behind: 23.8 MiB are unread"
    for _ in range(40):
        lag -= 100_000
        health = field.live(5, read=1, lag_bytes=lag)
    assert (health, lag > 20_000_000) == ("healthy", True)
    assert field.live(5 * MINUTE, read=1, lag_records=999) == "healthy"


def test_many_errors_among_few_events_degrade() -> None:
    field = Field()
    field.live(2 * MINUTE, read=100)
    letters = 0
    for _ in range(30):
        letters += 10
        health = field.live(5, read=100, dead_letters=letters)
    assert health == "degraded"
    assert field.reason == "120 errors among 1,200 events within 1 min"
    assert field.live(3 * MINUTE, read=100, dead_letters=letters) == "healthy"


def test_silence_is_measured_by_the_past_of_the_source() -> None:
    """Every 3 hours it speaks; 4 hours without a word are nothing, 7 are."""
    field = Field()
    for _ in range(25):
        field.live(3 * HOUR - MINUTE, every=MINUTE)
        health = field.live(MINUTE, every=MINUTE, read=10)
    assert health == "healthy"
    assert field.live(5.5 * HOUR, every=MINUTE) == "healthy"
    assert field.live(1 * HOUR, every=MINUTE) == "degraded"
    assert field.reason.startswith("silent for 6 h")
    assert field.live(5 * MINUTE, every=MINUTE, read=1) == "healthy"


def test_before_a_day_has_passed_nothing_is_expected_unless_it_is_configured() -> None:
    field = Field()
    field.live(HOUR, read=1)
    assert field.live(12 * HOUR, every=MINUTE) == "healthy"
    assert field.live(MINUTE, silence=15 * MINUTE) == "degraded"


def test_an_hour_in_which_nobody_listened_is_not_the_silence_of_the_source() -> None:
    field = Field()
    field.live(HOUR, read=1)
    field.elapsed += DAY
    assert field.live(10 * MINUTE, silence=15 * MINUTE) != "degraded"
    assert field.live(10 * MINUTE, silence=15 * MINUTE) == "degraded"


def test_a_keeper_that_starts_goes_on_from_what_is_stored() -> None:
    first = Field()
    first.live(MINUTE)
    first.look(100)
    assert first.look(10) == "unhealthy"
    stored = {key: Memory.from_json(memory.as_json()) for key, memory in first.watch.memories.items()}
    second = Field(stored, at=first.elapsed)
    second.watch.hear("web01", "0", "agent", {"sources": [{"id": SHOP, "name": "shop"}]}, NOW + MINUTE)
    second.watch.hear("web02", "0", "agent", {"sources": []}, NOW + second.elapsed)
    assert second.look() == "unhealthy"
    assert second.look(HOUR) == "unhealthy"
    assert second.changes == []


def test_after_a_break_nobody_is_taken_for_silent_before_all_had_time_to_speak() -> None:
    """Kafka was away for an hour: the first agent that is heard again shows that time has passed, not that others died."""
    before = Field()
    before.live(MINUTE)
    after = Field(before.watch.memories, at=before.elapsed + HOUR)
    after.watch.hear("web01", "0", "agent", {"sources": [{"id": SHOP, "name": "shop"}]}, NOW + MINUTE)
    after.watch.hear("web02", "0", "agent", {"sources": []}, NOW + after.elapsed)
    for _ in range(3):
        assert after.look(10) == "healthy"
    assert after.live(10) == "healthy"
    assert after.changes == []


def test_a_source_on_two_hosts_is_judged_on_each() -> None:
    field = Field()
    for _ in range(30):
        field.beat(host="web02")
        field.live(5)
    for _ in range(30):
        field.elapsed += 5
        field.beat(host="web02")
        field.look()
    memories = field.watch.memories
    assert (memories[SHOP, "web01"].health, memories[SHOP, "web02"].health) == ("unhealthy", "healthy")
    assert field.watch.counts() == {"unhealthy": 1, "degraded": 0, "unknown": 0, "healthy": 1}


def test_a_worker_that_is_not_heard_degrades_and_one_that_is_configured_away_does_not() -> None:
    field = Field()
    for _ in range(24):
        field.beat(worker="1")
        field.live(5)
    assert field.live(2 * MINUTE) == "degraded"
    assert field.reason == "nothing is heard of 1 of 2 workers"
    assert field.live(MINUTE, config="b") == "healthy"


def test_a_source_that_no_configuration_has_any_more_is_no_longer_active() -> None:
    field = Field()
    field.live(MINUTE)
    field.live(10, sources=[{"id": OTHER, "name": "other"}])
    findings = field.watch.findings()
    assert findings.removed == [KEY]
    assert [state.name for state in findings.states] == ["other"]
    assert field.watch.memories[KEY].health == "unknown"
    assert field.live(5) == "healthy"
    assert field.watch.findings().removed == [(OTHER, "web01")]


def test_a_host_that_is_gone_for_a_month_is_no_longer_waited_for() -> None:
    field = Field()
    field.live(MINUTE)
    field.beat(host="web02", sources=[])
    assert field.look(29 * DAY) is not None
    field.look(2 * DAY)
    assert field.look(MINUTE) == "unknown"
    (state,) = (state for state in field.watch.findings().states if state.host == "web01")
    assert not state.is_active


def test_what_an_older_agent_or_another_program_sends_does_no_harm() -> None:
    field = Field()
    odd: list[Any] = [{"name": "shop"}, {"id": "x"}, 7, {"id": SHOP, "name": "shop", "lag_bytes": None}]
    field.beat(sources=odd)
    assert field.look() == "healthy"
    field.watch.hear("web01", "0", "agent", None, NOW)
    field.look()
    assert list(field.watch.findings().states) == []
