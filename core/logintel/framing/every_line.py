"""EveryLine: each line that is not blank is a record."""

from __future__ import annotations

from collections.abc import Sequence


class EveryLine:
    """A `Framer` for formats whose records never span lines."""

    def starts(self, lines: Sequence[str]) -> Sequence[int]:
        """The lines that are not blank."""
        if all(lines) and not any(map(str.isspace, lines)):
            return range(len(lines))
        return [index for index, line in enumerate(lines) if line and not line.isspace()]

    @property
    def closed(self) -> bool:
        """A line is a whole record."""
        return True
