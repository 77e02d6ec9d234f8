"""The breach: events of one group that together make an alert, and what finds them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple, Protocol

from logintel_collector.alert import Severity
from logintel_collector.rules import windows
from logintel_collector.rules.conditions import ThresholdConditions
from logintel_collector.rules.group import GroupState, micros
from logintel_collector.rules.rule import Rule

#: log_ids that an alert names.
SAMPLES: Final = 5


class Breach(NamedTuple):
    """Events that make or continue an alert.

    counted    events that no alert of the group has counted yet
    first      time of the earliest of them, microseconds
    value      events in the window
    threshold  the level that they reach; None: each event counts
    """

    counted: int
    first: int
    value: int
    threshold: int | None
    severity: Severity


class Condition(Protocol):
    """Decides about the matching events of a rule."""

    def add(self, state: GroupState, at: int, log_id: str) -> Breach | None:
        """The breach that an event makes; what later events need is noted in `state`."""


class Match:
    """Each event is a breach."""

    def __init__(self, rule: Rule) -> None:
        self._severity = rule.config.severity

    def add(self, state: GroupState, at: int, log_id: str) -> Breach | None:
        """The breach that the event makes."""
        state.samples = [log_id]
        return Breach(1, at, 1, None, self._severity)


class Threshold:
    """As many events in a sliding window as the lowest level asks for are a breach."""

    def __init__(self, rule: Rule, conditions: ThresholdConditions) -> None:
        levels = conditions.steps()
        self._levels = [(level.floor, level.severity or rule.config.severity) for level in reversed(levels)]
        self._top = levels[-1].floor
        self._reset = conditions.after_match == "reset"
        self._size = micros(conditions.window.size)
        self._lateness = micros(conditions.time.allowed_lateness)
        self._old_room = 4 * self._top + 16
        self._room = 2 * windows.held(self._size, self._lateness, self._top)

    def add(self, state: GroupState, at: int, log_id: str) -> Breach | None:
        """The breach that the event makes, in whatever order events come."""
        times = state.times
        start, count = windows.fullest(times, windows.add(times, at), self._size)
        windows.add(state.fresh, at)
        state.samples = [*state.samples, log_id][-SAMPLES:]
        first, last, value = times[start], times[start + count - 1], min(count, self._top)
        breach = self._breach(state, value, first, last)
        if self._reset and value == self._top:
            del times[start : start + count]
        if len(times) > self._old_room and (len(times) > self._room or self._mostly_old(times)):
            state.times = windows.shortened(times, self._size, self._lateness, self._top)
            del state.fresh[: bisect_left(state.fresh, state.times[0] if state.times else last)]
        return breach

    def _mostly_old(self, times: list[int]) -> bool:
        """Whether half of them is older than any window of an event that comes in time."""
        return times[len(times) // 2] <= times[-1] - self._size - self._lateness

    def _breach(self, state: GroupState, value: int, first: int, last: int) -> Breach | None:
        for floor, severity in self._levels:
            if value >= floor:
                fresh = slice(bisect_left(state.fresh, first), bisect_right(state.fresh, last))
                counted = len(state.fresh[fresh])
                del state.fresh[fresh]
                return Breach(counted, first, value, floor, severity)
        return None


def condition_of(rule: Rule) -> Condition:
    """What decides about the rule's matching events."""
    conditions = rule.conditions
    return Threshold(rule, conditions) if isinstance(conditions, ThresholdConditions) else Match(rule)
