"""Nearness: texts that are a few edits apart, and terms that stand close to each other, as Lucene counts both."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from logintel.event import Json

#: More edits Lucene does not count.
MOST: Final = 2
_AUTO: Final = re.compile(r"AUTO(?::([0-9]{1,4}),([0-9]{1,4}))?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Fuzziness:
    """How far a text may be away.

    edits   a number; None: none for the shortest texts, one from `low` characters on, two from `high` on
    prefix  characters at the start that must be the same
    swaps   exchanging two neighbours is one edit
    """

    edits: int | None = None
    low: int = 3
    high: int = 6
    prefix: int = 0
    swaps: bool = True

    def of(self, text: str) -> int:
        """The edits that are allowed for a text."""
        if self.edits is not None:
            return self.edits
        return (len(text) >= self.low) + (len(text) >= self.high)


#: As many edits as the length allows, Elasticsearch's default.
AUTO: Final = Fuzziness()


def fuzziness(value: Json, prefix: int = 0, *, swaps: bool = True) -> Fuzziness:
    """Of `AUTO`, `AUTO:3,6`, 0, 1 or 2. Raises ValueError."""
    match = _AUTO.fullmatch(str(value))
    if match:
        low, high = int(match[1] or 3), int(match[2] or 6)
        if low > high:
            raise ValueError(f"fuzziness {value!r}: expected the lower length first")
        return Fuzziness(None, low, high, prefix, swaps)
    if str(value) not in ("0", "1", "2"):
        raise ValueError(f"fuzziness {value!r} is unknown: expected 0, 1, 2, AUTO, AUTO:3,6")
    return Fuzziness(int(str(value)), prefix=prefix, swaps=swaps)


def near(text: str, edits: int, prefix: int, *, swaps: bool) -> Callable[[str], bool]:
    """A function that says whether another text is so near; what it found it remembers, since terms come again."""
    if edits == 0 or prefix >= len(text):
        return text.__eq__
    begins = text[:prefix]

    @lru_cache(maxsize=4096)
    def test(other: str) -> bool:
        if abs(len(other) - len(text)) > edits or not other.startswith(begins):
            return False
        return _distance(text[prefix:], other[prefix:], edits, swaps=swaps) <= edits

    return test


def close(places: Sequence[Sequence[int]], offsets: Sequence[int], slop: int) -> bool:
    """Whether each term of a phrase can be given one of its places, no two the same, all within `slop` of the phrase.

    places   of each term in the text
    offsets  of each term in the phrase
    """
    moved = [[place - offset for place in term] for term, offset in zip(places, offsets, strict=True)]
    for low in sorted({place for term in moved for place in term}):
        choices = [
            [place + offset for place in term if low <= place <= low + slop]
            for term, offset in zip(moved, offsets, strict=True)
        ]
        if all(choices) and _distinct(choices, frozenset()):
            return True
    return False


def _distinct(choices: Sequence[Sequence[int]], taken: frozenset[int]) -> bool:
    if not choices:
        return True
    return any(place not in taken and _distinct(choices[1:], taken | {place}) for place in choices[0])


def _distance(one: str, other: str, most: int, *, swaps: bool) -> int:
    """Edits between two texts (optimal string alignment); above `most` any number above it."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, char in enumerate(one, 1):
        line = [row]
        for column, char_2 in enumerate(other, 1):
            cost = min(last[column] + 1, line[-1] + 1, last[column - 1] + (char != char_2))
            if swaps and row > 1 and column > 1 and char == other[column - 2] and one[row - 2] == char_2:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        if min(line) > most and min(last) > most:
            return most + 1
        before, last = last, line
    return last[-1]
