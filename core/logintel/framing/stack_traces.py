"""StackTraces: joins stack traces and other evident continuations to the line they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from logintel.framing.limits import MAX_CHARACTERS, MAX_LINES

#: Lines that go on with the record before them.
_CONTINUES: Final = re.compile(r"[ \t]|Caused by: |Suppressed: |Traceback \(most|\}\s*$|\s*$")


class StackTraces:
    """A `Framer` for lines of any kind."""

    def __init__(self, *, max_lines: int = MAX_LINES, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_lines = max_lines
        self._max_characters = max_characters
        self._lines = 0
        self._characters = 0

    def starts(self, lines: Sequence[str]) -> Sequence[int]:
        """The lines that do not go on with the record before them."""
        found: list[int] = []
        for index, line in enumerate(lines):
            if self._continues(line):
                continue
            found.append(index)
            self._lines, self._characters = 1, len(line) + 1
        return found

    def _continues(self, line: str) -> bool:
        if not line or line.isspace():
            if self._lines:
                self._lines += 1
                self._characters += len(line) + 1
            return True
        if not self._lines or not _CONTINUES.match(line):
            return False
        self._lines += 1
        self._characters += len(line) + 1
        return self._lines <= self._max_lines and self._characters <= self._max_characters

    @property
    def closed(self) -> bool:
        """A further line of a trace may always come."""
        return False
