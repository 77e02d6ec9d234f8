"""Sliding windows over event times: exact for events in any order, in memory bounded by the threshold.

Times are microseconds in a sorted list. A window is half-open, (t - size, t]: it holds times less than `size` apart.
"""

from __future__ import annotations

from bisect import bisect_right, insort_right
from collections.abc import Sequence


def add(times: list[int], time: int) -> int:
    """Put `time` where it belongs and return its index; of equal ones, the last."""
    if not times or time >= times[-1]:
        times.append(time)
        return len(times) - 1
    insort_right(times, time)
    return bisect_right(times, time) - 1


def fullest(times: Sequence[int], index: int, size: int) -> tuple[int, int]:
    """(start, count) of the window that holds `times[index]` and the most others; of equal ones the earliest."""
    first = times[index]
    start, most = bisect_right(times, first - size), 0
    best = start
    for end in range(index, len(times)):
        if times[end] - first >= size:
            break
        while times[end] - times[start] >= size:
            start += 1
        if end - start + 1 > most:
            best, most = start, end - start + 1
    return best, most


def held(size: int, lateness: int, threshold: int) -> int:
    """How many times `shortened` leaves at most."""
    return 2 * threshold * ((size + lateness) // size + 1)


def shortened(times: Sequence[int], size: int, lateness: int, threshold: int) -> list[int]:
    """The times that can still decide whether a window reaches `threshold`.

    One is left out when it is older than the newest by more than size + lateness, or when threshold - 1 others before
    and threshold - 1 behind it are nearer than `size`: an event that it could count with is near all of the one or the
    other, and reaches the threshold without it.
    """
    enough = threshold - 1
    if not times or not enough:
        return []
    recent = times[bisect_right(times, times[-1] - size - lateness) :]
    kept: list[int] = []
    for place, time in enumerate(recent):
        behind = place + enough
        full_before = len(kept) >= enough and time - kept[-enough] < size
        if not (full_before and behind < len(recent) and recent[behind] - time < size):
            kept.append(time)
    return kept
