"""The problem: one thing wrong in a configuration file, and the error that carries all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """`line` is 1-based, 0 where the file as a whole is meant; `key` is dotted (`sources[0].paths`) or empty."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """`file:line: key: message`, without the parts that are not known."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.key, self.message) if part)


class Misconfigured(Exception):
    """Ends a command with exit code 2. `problems` are all that were found, in file order; at least one."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the known names where none is near, or nothing where none is known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
