"""StackTraces: joins stack traces and other evident continuations to the line they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from logintel.framing.blocks import Block, block_at
from logintel.framing.heads import FOREIGN, HEAD
from logintel.framing.limits import MAX_CHARACTERS, MAX_LINES
from logintel.framing.states import CONTINUES, MARKED_STATE, following, opening


class StackTraces:
    """A `Framer` for lines of any kind.

    A line with a head of its own begins a record. One without goes on with the record before it when the state, which
    comes from that record's lines alone, says so. States are looked for only where a line without a head follows.
    """

    def __init__(self, *, max_lines: int = MAX_LINES, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_lines = max_lines
        self._max_characters = max_characters
        self._lines = 0
        self._characters = 0
        self._last = ""
        self._state: str | None = None
        self._block: Block | None = None

    def starts(self, lines: Sequence[str]) -> Sequence[int]:
        """The lines that do not go on with the record before them."""
        has_head = HEAD.match
        headless = [index for index, line in enumerate(lines) if not has_head(line)]
        found: list[int] = []
        done = 0
        for index in headless:
            if index > done:
                found.extend(range(done, index))
                self._begin(lines[index - 1])
            done = index + 1
            line = lines[index]
            if self._goes_on(line):
                self._lines += 1
                self._characters += len(line) + 1
            elif line and not line.isspace():
                found.append(index)
                self._begin(line)
        if done < len(lines):
            found.extend(range(done, len(lines)))
            self._begin(lines[-1])
        return found

    @property
    def closed(self) -> bool:
        """A further line of a trace may always come."""
        return False

    def _begin(self, line: str) -> None:
        self._lines = 1
        self._characters = len(line) + 1
        self._last = line
        self._state = None

    def _goes_on(self, line: str) -> bool:
        """Whether a line without a head belongs to the record so far; moves the state on if so."""
        if not self._lines:
            return False
        if not line or line.isspace():
            return True
        if self._lines >= self._max_lines or self._characters + len(line) >= self._max_characters:
            return False
        if self._state is None:
            self._state = opening(self._last)
            self._block = block_at(self._last)
        if self._block:
            self._block.add(line)
            if not self._block.open:
                self._block = None
            return True
        found = CONTINUES[self._state].match(line)
        if found:
            self._state = following(self._state, found.lastgroup)
        elif not (self._last.endswith("\\") or self._joins_marked(line)):
            return False
        self._last = line
        return True

    def _joins_marked(self, line: str) -> bool:
        return self._state == MARKED_STATE and not FOREIGN.search(line, 0, 150)
