"""Decimal intervals: the automaton of `<5-120>`, numbers between two others as texts."""

from __future__ import annotations

from logintel_collector.query import automaton
from logintel_collector.query.automaton import Automaton


def decimal_interval(low: int, high: int, digits: int) -> Automaton:
    """Decimal numbers from `low` to `high`; of so many digits, or (0) with any number of leading zeros."""
    width = digits or len(str(high))
    spans = _spans(str(low).zfill(width), str(high).zfill(width))
    full = automaton.union([_span(first, last) for first, last in spans])
    if digits:
        return full
    zeros = automaton.repeated(automaton.text("0"), 0)
    shorter = automaton.union([_stripped(first, last) for first, last in spans])
    return automaton.concatenation([zeros, automaton.union([full, shorter])])


def _spans(low: str, high: str) -> list[tuple[str, str]]:
    """Numbers of one width as pairs of texts, each digit of which varies by itself."""
    if low == high or len(low) == 1:
        return [(low, high)]
    head, tail = low[0], low[1:]
    if head == high[0]:
        return [(head + first, head + last) for first, last in _spans(tail, high[1:])]
    nines, zeros = "9" * len(tail), "0" * len(tail)
    found = [(head + first, head + last) for first, last in _spans(tail, nines)]
    if int(head) + 1 < int(high[0]):
        found.append((str(int(head) + 1) + zeros, str(int(high[0]) - 1) + nines))
    return found + [(high[0] + first, high[0] + last) for first, last in _spans(zeros, high[1:])]


def _span(low: str, high: str) -> Automaton:
    return automaton.concatenation([automaton.one_of([(ord(a), ord(b))]) for a, b in zip(low, high, strict=True)])


def _stripped(low: str, high: str) -> Automaton:
    """A span without the zeros in front that all its numbers have."""
    shared = 0
    while shared < len(low) - 1 and low[shared] == high[shared] == "0":
        shared += 1
    return _span(low[shared:], high[shared:])
