"""Blocks: JSON and XML over several lines. A block is open until its brackets, or its first element, are closed."""

from __future__ import annotations

import re
from typing import Final, Protocol

_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)')
_ELEMENT: Final = re.compile(r"<([A-Za-z_][A-Za-z0-9_.:-]*+)([^<>]*>)?")


class Block(Protocol):
    """What the lines so far leave open."""

    @property
    def open(self) -> bool:
        """Whether more lines are needed."""

    def take(self, line: str) -> bool:
        """Whether the next line belongs to the block; if not, the block ends unfinished."""


class JsonBlock:
    """Brackets outside of strings."""

    def __init__(self) -> None:
        self._depth = 0

    @property
    def open(self) -> bool:
        """Whether a bracket waits for its partner."""
        return self._depth > 0

    def take(self, line: str) -> bool:
        """Count the brackets of a line that can be JSON."""
        if line[:1] not in ' \t"{}[],':
            self._depth = 0
            return False
        bare = _STRING.sub("", line)
        self._depth += bare.count("{") + bare.count("[") - bare.count("}") - bare.count("]")
        return True


class XmlBlock:
    """The first element; a declaration before it belongs to it."""

    def __init__(self) -> None:
        self._end = ""
        self._closed = False

    @property
    def open(self) -> bool:
        """Whether the first element's end is still to come."""
        return not self._closed

    def take(self, line: str) -> bool:
        """Look for the first element, then for its end."""
        if not self._end:
            found = _ELEMENT.search(line)
            if not found:
                return True
            self._end = f"</{found[1]}>"
            self._closed = (found[2] or "").endswith("/>")
        self._closed = self._closed or self._end in line
        return True


#: By the state of the record.
BLOCKS: Final[dict[str, type[Block]]] = {"json": JsonBlock, "xml": XmlBlock}


def block_at(state: str, line: str) -> Block | None:
    """The block that a record's first line opens and does not close."""
    if state not in BLOCKS:
        return None
    block = BLOCKS[state]()
    block.take(line)
    return block if block.open else None
