"""Sliding windows against counting by hand, in any order of arrival and within their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logintel_collector.rules import windows

# Small numbers, so that times fall on the edges of windows often.
SIZES = st.integers(1, 8)
TIMES = st.lists(st.integers(0, 25), min_size=1, max_size=40)


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


@given(TIMES, SIZES, st.integers(1, 4), st.integers(0, 12), st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_shortening_changes_no_verdict_on_later_events(
    arrivals: list[int], size: int, threshold: int, lateness: int, later: list[int]
) -> None:
    whole = sorted(arrivals)
    short = windows.shortened(whole, size, lateness, threshold)
    for offset in later:
        time = max(whole[-1] - lateness, 0) + offset
        full = windows.fullest(whole, windows.add(whole, time), size)[1]
        left = windows.fullest(short, windows.add(short, time), size)[1]
        assert min(full, threshold) == min(left, threshold)
        short = windows.shortened(short, size, lateness, threshold)


@given(st.lists(st.integers(0, 200), max_size=400), st.integers(1, 60), st.integers(1, 6), st.integers(0, 60))
def test_what_is_held_is_bounded_by_the_threshold(times: list[int], size: int, threshold: int, lateness: int) -> None:
    assert len(windows.shortened(sorted(times), size, lateness, threshold)) <= windows.held(size, lateness, threshold)
