"""Regular expressions in Lucene's syntax (org.apache.lucene.util.automaton.RegExp), as Elasticsearch's `regexp` has it.

They fit a whole value or term. `^` and `$` are literal; `~` complement, `&` intersection, `@` any text, `#` none,
`<1-10>` a number and `"…"` a literal, each where the flags allow it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from logintel_collector.query import automaton
from logintel_collector.query.automaton import LAST, Automaton, Matcher, TooComplex
from logintel_collector.query.case_folding import variants
from logintel_collector.query.intervals import decimal_interval

#: Elasticsearch's longest expression (index.max_regex_length).
MAX_LENGTH: Final = 1000
#: Names of the optional operators; ALL is the default.
FLAGS: Final = frozenset({"INTERSECTION", "COMPLEMENT", "EMPTY", "ANYSTRING", "INTERVAL"})
_AUTOMATON: Final = "AUTOMATON"
_DEPTH: Final = 200
_LETTERS: Final = frozenset("abcdefghijklmnopqrtuvxyzABCDEFGHIJKLMNOPQRTUVXYZ")
_CLASSES: Final = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 10), (13, 13), (32, 32)),
}


def flags_of(text: str) -> frozenset[str]:
    """The operators that `INTERSECTION|EMPTY`, `ALL` or `NONE` turns on. Raises ValueError."""
    found: set[str] = set()
    for name in text.upper().split("|"):
        if name == "ALL":
            found |= {*FLAGS, _AUTOMATON}
        elif name in FLAGS:
            found.add(name)
        elif name != "NONE":
            raise ValueError(f"unknown flag {name!r}: expected ALL, NONE, {', '.join(sorted(FLAGS))}")
    return frozenset(found)


@lru_cache(maxsize=1024)
def matcher(expression: str, flags: frozenset[str], *, fold: bool = False) -> Matcher:
    """What runs it, shared by all who ask for the same; `fold`: upper and lower case are the same.

    Raises ValueError where Elasticsearch refuses it.
    """
    if len(expression) > MAX_LENGTH:
        raise ValueError(f"a regular expression of {len(expression)} characters: at most {MAX_LENGTH} are allowed")
    try:
        return Matcher.of(_Parser(expression, flags, fold=fold).whole())
    except TooComplex:
        raise ValueError(
            "the regular expression is too complex: more than 10000 steps to make it deterministic; fewer "
            "`.*` and alternatives that begin alike need less"
        ) from None


class _Parser:
    """Recursive descent; one method a production of the grammar, as Lucene has it."""

    def __init__(self, source: str, flags: frozenset[str], *, fold: bool) -> None:
        self._source, self._flags, self._fold = source, flags, fold
        self._at = self._depth = 0

    def whole(self) -> Automaton:
        if self._source in ("", "()"):
            return automaton.nothing() if self._fold else automaton.text("")  # so does Elasticsearch
        found = self._union()
        if self._at < len(self._source):
            raise ValueError(f"end of the regular expression expected at character {self._at + 1}")
        return found

    def _union(self) -> Automaton:
        return self._joined("|", self._intersection, automaton.union)

    def _intersection(self) -> Automaton:
        parts = [self._concatenation()]
        while "INTERSECTION" in self._flags and self._take("&"):
            parts.append(self._concatenation())
        found = parts[-1]
        for part in reversed(parts[:-1]):
            found = automaton.intersection(part, found)
        return found

    def _joined(
        self, sign: str, part: Callable[[], Automaton], join: Callable[[list[Automaton]], Automaton]
    ) -> Automaton:
        parts = [part()]
        while self._take(sign):
            parts.append(part())
        return join(parts) if len(parts) > 1 else parts[0]

    def _concatenation(self) -> Automaton:
        ends = ")|&" if "INTERSECTION" in self._flags else ")|"
        parts = [self._repetition()]
        while self._at < len(self._source) and not self._peek(ends):
            parts.append(self._repetition())
        return automaton.concatenation(parts)

    def _repetition(self) -> Automaton:
        found = self._complement()
        while self._peek("?*+{"):
            sign = self._next()
            if sign == "?":
                found = automaton.optional(found)
            elif sign == "{":
                found = automaton.repeated(found, *self._counts())
            else:
                found = automaton.repeated(found, int(sign == "+"))
        return found

    def _counts(self) -> tuple[int, int | None]:
        least = self._digits()
        if least is None:
            raise ValueError(f"a number expected at character {self._at + 1} of the regular expression")
        most = self._digits() if self._take(",") else least
        self._expect("}")
        return least, most

    def _digits(self) -> int | None:
        start = self._at
        while self._peek("0123456789"):
            self._at += 1
        digits = self._source[start : self._at]
        if len(digits) > 9:
            raise ValueError(f"{digits} is too large a number in a regular expression")
        return int(digits) if digits else None

    def _complement(self) -> Automaton:
        if "COMPLEMENT" in self._flags and self._take("~"):
            return automaton.complement(self._complement())
        return self._class() if self._take("[") else self._simple()

    def _class(self) -> Automaton:
        negated = self._take("^")
        ranges = self._class_item()
        while self._at < len(self._source) and not self._peek("]"):
            ranges += self._class_item()
        self._expect("]")
        return automaton.one_of(automaton.outside(ranges) if negated else ranges)

    def _class_item(self) -> list[tuple[int, int]]:
        known = self._predefined()
        if known is not None:
            return known
        low = ord(self._char())
        if not self._take("-"):
            return self._cases(low)
        high = ord(self._char())
        if low > high:
            raise ValueError(f"invalid range {chr(low)}-{chr(high)} in a regular expression")
        return [(low, high)]

    def _predefined(self) -> list[tuple[int, int]] | None:
        """`\\d` and its like, or an escaped backslash; every other escaped letter is an error."""
        if not self._take("\\"):
            return None
        if self._peek("dDwWsS"):
            name = self._next()
            ranges = list(_CLASSES[name.lower()])
            return ranges if name.islower() else automaton.outside(ranges)
        if self._take("\\"):
            return [(92, 92)]
        if self._at < len(self._source) and self._source[self._at] in _LETTERS:
            raise ValueError(f"invalid character class \\{self._next()} in a regular expression")
        return None

    def _simple(self) -> Automaton:
        if self._take("."):
            return automaton.one_of([(0, LAST)])
        if "EMPTY" in self._flags and self._take("#"):
            return automaton.nothing()
        if "ANYSTRING" in self._flags and self._take("@"):
            return automaton.repeated(automaton.one_of([(0, LAST)]), 0)
        if self._take('"'):
            return self._literal(self._until('"'))
        if self._take("("):
            return self._group()
        if self._flags & {_AUTOMATON, "INTERVAL"} and self._take("<"):
            return self._interval(self._until(">"))
        known = self._predefined()
        return automaton.one_of(known if known is not None else self._cases(ord(self._char())))

    def _group(self) -> Automaton:
        if self._take(")"):
            return automaton.text("")
        self._depth += 1
        if self._depth > _DEPTH:
            raise ValueError(f"a regular expression with brackets nested deeper than {_DEPTH} levels")
        found = self._union()
        self._depth -= 1
        self._expect(")")
        return found

    def _literal(self, characters: str) -> Automaton:
        if not self._fold or not characters:
            return automaton.text(characters)
        return automaton.concatenation([automaton.one_of(self._cases(ord(char))) for char in characters])

    def _interval(self, inner: str) -> Automaton:
        low, dash, high = inner.partition("-")
        if not dash:
            reason = f"{inner!r} not found" if _AUTOMATON in self._flags else "interval syntax error"
            raise ValueError(f"{reason} at character {self._at} of the regular expression")
        if not (low.isdigit() and high.isdigit() and len(low) < 10 and len(high) < 10):
            raise ValueError(f"interval syntax error at character {self._at} of the regular expression")
        digits = len(low) if len(low) == len(high) else 0
        first, last = sorted((int(low), int(high)))
        return decimal_interval(first, last, digits)

    def _until(self, end: str) -> str:
        start = self._at
        place = self._source.find(end, start)
        if place < 0:
            raise ValueError(f"{end} expected at the end of the regular expression")
        self._at = place + 1
        return self._source[start:place]

    def _cases(self, code: int) -> list[tuple[int, int]]:
        """The code point, with those that differ in case alone."""
        if not self._fold:
            return [(code, code)]
        return [(ord(same), ord(same)) for same in variants(chr(code))]

    def _char(self) -> str:
        self._take("\\")
        return self._next()

    def _next(self) -> str:
        if self._at >= len(self._source):
            raise ValueError("the regular expression ends too early")
        self._at += 1
        return self._source[self._at - 1]

    def _peek(self, characters: str) -> bool:
        return self._at < len(self._source) and self._source[self._at] in characters

    def _take(self, char: str) -> bool:
        found = self._peek(char)
        self._at += found
        return found

    def _expect(self, char: str) -> None:
        if not self._take(char):
            raise ValueError(f"{char} expected at character {self._at + 1} of the regular expression")
