"""StartPattern: a line that matches begins a record, the others continue it; or the other way round."""

from __future__ import annotations

import re
from collections.abc import Sequence

from logintel.framing.limits import MAX_CHARACTERS, MAX_LINES


class StartPattern:
    """A `Framer` for formats whose records all begin alike; `negated`: whose further lines do.

    Lines before the first match make a record of their own; so do those that would take a record over its bounds.
    """

    def __init__(
        self,
        pattern: re.Pattern[str],
        *,
        negated: bool = False,
        max_lines: int = MAX_LINES,
        max_characters: int = MAX_CHARACTERS,
    ) -> None:
        self._match = pattern.match
        self._negated = negated
        self._max_lines = max_lines
        self._max_characters = max_characters
        self._lines = 0
        self._characters = 0

    def starts(self, lines: Sequence[str]) -> Sequence[int]:
        """The lines that match, and those where a record reaches its bounds."""
        match, negated = self._match, self._negated
        found: list[int] = []
        count, size = self._lines, self._characters
        for index, line in enumerate(lines):
            count += 1
            size += len(line) + 1
            if (match(line) is None) == negated or count == 1 or count > self._max_lines or size > self._max_characters:
                if not line or line.isspace():
                    count, size = (count, size) if count > 1 else (0, 0)
                    continue
                found.append(index)
                count, size = 1, len(line) + 1
        self._lines, self._characters = count, size
        return found

    @property
    def closed(self) -> bool:
        """Only the next match tells."""
        return False
