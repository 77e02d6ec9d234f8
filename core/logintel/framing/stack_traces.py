"""StackTraces: joins stack traces and other evident continuations to the line they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from logintel.framing.blocks import Block, block_at
from logintel.framing.heads import HEAD, foreign
from logintel.framing.limits import MAX_CHARACTERS, MAX_LINES
from logintel.framing.states import FRAMES, MARKED_STATES, continues, following, is_trace, opening

#: No line starts with it.
_NO_HEAD: Final = "\n"


def _head_of(line: str) -> str:
    """What any line needs to begin with to have the head that `line` has; "" if it has none."""
    found = HEAD.match(line)
    return line[: found.end() + 1] if found and found.end() < len(line) else ""


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
        self._head = _NO_HEAD
        self._headed = False
        self._state = ""  # not looked for yet
        self._block: Block | None = None

    def starts(self, lines: Sequence[str]) -> Sequence[int]:
        """The lines that do not go on with the record before them."""
        headless = self._headless(lines)
        if not headless and lines:
            self._begin(lines[-1])
            return range(len(lines))
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
                self._begin(line, headed=False)
        if done < len(lines):
            found.extend(range(done, len(lines)))
            self._begin(lines[-1])
        return found

    @property
    def closed(self) -> bool:
        """A further line of a trace may always come."""
        return False

    def _headless(self, lines: Sequence[str]) -> list[int]:
        """The lines without a head. Lines of one log begin alike, so those that do are not matched again."""
        head, has_head = self._head, HEAD.match
        headless = [index for index, line in enumerate(lines) if not (line.startswith(head) or has_head(line))]
        if lines:
            self._head = _head_of(lines[-1]) or head
        return headless

    def _begin(self, line: str, *, headed: bool = True) -> None:
        self._lines = 1
        self._characters = len(line) + 1
        self._last = line
        self._headed = headed
        self._state = ""
        self._block = None

    def _goes_on(self, line: str) -> bool:
        """Whether a line without a head belongs to the record so far; moves the state on if so."""
        if not self._lines:
            return False
        if self._lines >= self._max_lines or self._characters + len(line) >= self._max_characters:
            return not line or line.isspace()
        if not self._state:
            self._state = opening(self._last, headed=self._headed)
            self._block = block_at(self._state, self._last)
        if self._block is None and line.startswith(FRAMES):
            self._last = line
            return True
        if not line or line.isspace():
            return True
        if self._block:
            return self._block_takes(self._block, line)
        found = continues(self._state).match(line)
        if found:
            if found.lastgroup:
                self._state = following(self._state, found.lastgroup)
        elif not (self._last.endswith("\\") or self._joins_marked(line)):
            return False
        self._last = line
        return True

    def _block_takes(self, block: Block, line: str) -> bool:
        taken = block.take(line)
        if not block.open:
            self._block = None
        return taken

    def _joins_marked(self, line: str) -> bool:
        if self._state not in MARKED_STATES or (self._state == "marked_traced" and is_trace(line)):
            return False
        return not foreign(line)
