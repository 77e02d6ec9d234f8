"""Finite automata over code points: what regular expressions are made of, and run as, in time linear in the text.

Built the way Lucene builds its own (org.apache.lucene.util.automaton), since what that costs decides which expressions
Elasticsearch refuses. An automaton here has no epsilon moves; state 0 is where it starts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final, TypeAlias

LAST: Final = 0x10FFFF
#: Lucene's measure of work: what the sets of states hold together while an automaton is made deterministic.
EFFORT: Final = 10_000
#: Moves that a state of a running automaton remembers.
_REMEMBERED: Final = 512

#: First and last code point, and the state that they lead to.
Move: TypeAlias = tuple[int, int, int]


class TooComplex(ValueError):
    """Making it deterministic would take more than EFFORT."""


@dataclass(slots=True)
class Automaton:
    """moves    of each state
    accepting  states in which a text may end
    """

    moves: list[list[Move]]
    accepting: set[int]


def text(characters: str) -> Automaton:
    """Exactly these characters."""
    moves: list[list[Move]] = [[(ord(char), ord(char), place + 1)] for place, char in enumerate(characters)]
    return Automaton([*moves, []], {len(characters)})


def one_of(ranges: Iterable[tuple[int, int]]) -> Automaton:
    """One code point of these ranges."""
    return Automaton([[(low, high, 1) for low, high in ranges], []], {1})


def outside(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """All code points that are in none of the ranges."""
    found, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    return [*found, (at, LAST)] if at <= LAST else found


def nothing() -> Automaton:
    """No text at all."""
    return Automaton([[]], set())


def union(parts: Sequence[Automaton]) -> Automaton:
    """What any of them takes."""
    whole = Automaton([[]], set())
    for part in parts:
        base = _appended(whole, part)
        whole.moves[0] += whole.moves[base]
        if 0 in part.accepting:
            whole.accepting.add(0)
    return whole


def concatenation(parts: Sequence[Automaton]) -> Automaton:
    """One after the other."""
    return reduce(_followed, parts)


def optional(part: Automaton) -> Automaton:
    """It or nothing."""
    return union([part, text("")])


def repeated(part: Automaton, least: int, most: int | None = None) -> Automaton:
    """`least` to `most` times; None: any number. Raises TooComplex."""
    if most is not None and least > most:
        return nothing()
    if (len(part.moves) - 1) * max(least, most or 0) > EFFORT:
        raise TooComplex
    if most is None:
        return concatenation([*[part] * least, _star(part)])
    tail = text("")
    for _ in range(most - least):
        tail = optional(_followed(part, tail))
    return concatenation([*[part] * least, tail])


def complement(part: Automaton) -> Automaton:
    """Everything that it does not take. Raises TooComplex."""
    whole = determinized(part)
    sink = len(whole.moves)
    total = [
        [*moves, *((low, high, sink) for low, high in outside((low, high) for low, high, _ in moves))]
        for moves in whole.moves
    ]
    return Automaton([*total, [(0, LAST, sink)]], set(range(sink + 1)) - whole.accepting)


def intersection(one: Automaton, other: Automaton) -> Automaton:
    """What both take."""
    places = {(0, 0): 0}
    waiting = [(0, 0)]
    whole = Automaton([[]], set())
    for pair in waiting:
        here = places[pair]
        if pair[0] in one.accepting and pair[1] in other.accepting:
            whole.accepting.add(here)
        for low, high, target in one.moves[pair[0]]:
            for low_2, high_2, target_2 in other.moves[pair[1]]:
                if max(low, low_2) > min(high, high_2):
                    continue
                both = target, target_2
                if both not in places:
                    places[both] = len(places)
                    whole.moves.append([])
                    waiting.append(both)
                whole.moves[here].append((max(low, low_2), min(high, high_2), places[both]))
    return whole


def determinized(part: Automaton) -> Automaton:
    """The same with at most one move for each code point. Raises TooComplex."""
    start = frozenset({0})
    places: dict[frozenset[int], int] = {start: 0}
    waiting = [start]
    whole = Automaton([[]], set())
    effort = 0
    for states in waiting:
        effort += len(states)
        if effort >= 10 * EFFORT:
            raise TooComplex
        here = places[states]
        if not states.isdisjoint(part.accepting):
            whole.accepting.add(here)
        for low, high, targets in _pieces(move for state in states for move in part.moves[state]):
            if targets not in places:
                places[targets] = len(places)
                whole.moves.append([])
                waiting.append(targets)
            whole.moves[here].append((low, high, places[targets]))
    return whole


@dataclass(slots=True)
class Matcher:
    """Runs a deterministic automaton; each state keeps the moves that it has made."""

    accepting: frozenset[int]
    _lows: list[list[int]]
    _moves: list[list[Move]]
    _made: list[dict[str, int]] = field(repr=False)

    @classmethod
    def of(cls, automaton: Automaton) -> Matcher:
        """Raises TooComplex."""
        whole = determinized(automaton)
        moves = [sorted(state) for state in whole.moves]
        lows = [[low for low, _, _ in state] for state in moves]
        return cls(frozenset(whole.accepting), lows, moves, [{} for _ in moves])

    def fits(self, characters: str) -> bool:
        """Whether the automaton takes the whole text."""
        state, made = 0, self._made
        for char in characters:
            target = made[state].get(char)
            if target is None:
                target = self._move(state, char)
            if target < 0:
                return False
            state = target
        return state in self.accepting

    def _move(self, state: int, char: str) -> int:
        code = ord(char)
        place = bisect_right(self._lows[state], code) - 1
        target = -1
        if place >= 0:
            _, high, to = self._moves[state][place]
            target = to if code <= high else -1
        made = self._made[state]
        if len(made) >= _REMEMBERED:
            made.clear()
        made[char] = target
        return target


def _appended(whole: Automaton, part: Automaton) -> int:
    """Put the states of `part` behind those of `whole`; where they begin."""
    base = len(whole.moves)
    whole.moves += [[(low, high, target + base) for low, high, target in moves] for moves in part.moves]
    whole.accepting |= {state + base for state in part.accepting}
    return base


def _followed(one: Automaton, other: Automaton) -> Automaton:
    whole = Automaton([list(moves) for moves in one.moves], set())
    base = _appended(whole, other)
    for state in one.accepting:
        whole.moves[state] = whole.moves[state] + whole.moves[base]
    if 0 in other.accepting:
        whole.accepting |= one.accepting
    return whole


def _star(part: Automaton) -> Automaton:
    whole = Automaton([[]], {0})
    base = _appended(whole, part)
    whole.moves[0] += whole.moves[base]
    first = list(whole.moves[0])
    for state in part.accepting:
        whole.moves[state + base] = whole.moves[state + base] + first
    return whole


def _pieces(moves: Iterable[Move]) -> list[tuple[int, int, frozenset[int]]]:
    """The moves of several states, cut where their ranges begin and end."""
    edges: dict[int, list[tuple[int, int]]] = {}
    for low, high, target in moves:
        edges.setdefault(low, []).append((target, 1))
        edges.setdefault(high + 1, []).append((target, -1))
    found: list[tuple[int, int, frozenset[int]]] = []
    active: dict[int, int] = {}
    before = 0
    for place in sorted(edges):
        if active:
            targets = frozenset(active)
            if found and found[-1][1] == before - 1 and found[-1][2] == targets:
                found[-1] = (found[-1][0], place - 1, targets)
            else:
                found.append((before, place - 1, targets))
        for target, change in edges[place]:
            count = active.get(target, 0) + change
            if count:
                active[target] = count
            else:
                active.pop(target, None)
        before = place
    return found
