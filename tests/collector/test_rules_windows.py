"""Sliding windows against counting by hand, in any order of arrival and within their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logintel_collector.rules import windows

SIZES = st.integers(1, 30)
TIMES = st.lists(st.integers(0, 120), min_size=1, max_size=60)


def counted_by_hand(times: list[int], time: int, size: int) -> int:
    """The most times that any window holding `time` holds: windows end at a time, half-open."""
    return max(sum(end - size < other <= end for other in times) for end in times if end - size < time <= end)


@given(TIMES, SIZES)
def test_the_fullest_window_is_the_one_found_by_hand(arrivals: list[int], size: int) -> None:
    times: list[int] = []
    for time in arrivals:
        index = windows.add(times, time)
        start, count = windows.fullest(times, index, size)
        assert times == sorted(times)
        assert count == counted_by_hand(times, time, size)
        assert times[start + count - 1] - times[start] < size
        assert start <= index < start + count


@given(TIMES, SIZES, st.integers(1, 6), st.integers(0, 20))
def test_shortening_changes_no_verdict_on_any_later_event(
    arrivals: list[int], size: int, threshold: int, lateness: int
) -> None:
    times = sorted(arrivals)
    short = windows.shortened(times, size, lateness, threshold)
    for time in range(times[-1] - lateness, times[-1] + size + 1):
        with_all, with_short = [*times], [*short]
        full = windows.fullest(with_all, windows.add(with_all, time), size)[1]
        left = windows.fullest(with_short, windows.add(with_short, time), size)[1]
        assert min(full, threshold) == min(left, threshold)


@given(st.lists(st.integers(0, 200), max_size=400), SIZES, st.integers(1, 6), st.integers(0, 60))
def test_what_is_held_is_bounded_by_the_threshold(times: list[int], size: int, threshold: int, lateness: int) -> None:
    assert len(windows.shortened(sorted(times), size, lateness, threshold)) <= windows.held(size, lateness, threshold)
