"""EndPattern: a line in which the pattern is found is the last of its record."""

from __future__ import annotations

import re
from collections.abc import Sequence

from logintel.framing.limits import MAX_CHARACTERS, MAX_LINES


class EndPattern:
    """A `Framer` for formats whose records all end alike, such as statements with a semicolon.

    Blank lines begin no record; one that would go over its bounds ends before that.
    """

    def __init__(
        self, pattern: re.Pattern[str], *, max_lines: int = MAX_LINES, max_characters: int = MAX_CHARACTERS
    ) -> None:
        self._found = pattern.search
        self._max_lines = max_lines
        self._max_characters = max_characters
        self._lines = 0
        self._characters = 0
        self._closed = True

    def starts(self, lines: Sequence[str]) -> Sequence[int]:
        """The lines behind those that end a record, and those where a record reaches its bounds."""
        starts: list[int] = []
        for index, line in enumerate(lines):
            blank = not line or line.isspace()
            if self._closed and blank:
                continue
            self._lines += 1
            self._characters += len(line) + 1
            full = self._lines > self._max_lines or self._characters > self._max_characters
            if self._closed or (full and not blank):
                starts.append(index)
                self._lines, self._characters = 1, len(line) + 1
            self._closed = self._found(line) is not None
        return starts

    @property
    def closed(self) -> bool:
        """Whether the last line ended its record."""
        return self._closed
