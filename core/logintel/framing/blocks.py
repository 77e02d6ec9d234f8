"""Blocks: JSON and XML over several lines. A block is open until its brackets, or its first element, are closed."""

from __future__ import annotations

import re
from typing import Final, Protocol

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)')
_ELEMENT: Final = re.compile(r"<([A-Za-z_][A-Za-z0-9_.:-]*+)")


class Block(Protocol):
    """What is left open by the lines so far."""

    @property
    def open(self) -> bool:
        """Whether more lines are needed."""

    def add(self, line: str) -> None:
        """Take the next line."""


class JsonBlock:
    """Brackets outside of strings."""

    def __init__(self) -> None:
        self._depth = 0

    @property
    def open(self) -> bool:
        """Whether a bracket waits for its partner."""
        return self._depth > 0

    def add(self, line: str) -> None:
        """Count the brackets of `line`."""
        bare = _STRING.sub("", line)
        self._depth += bare.count("{") + bare.count("[") - bare.count("}") - bare.count("]")


class XmlBlock:
    """The first element; what stands before it (declaration, comments) belongs to it."""

    def __init__(self) -> None:
        self._element = ""
        self._closed = False

    @property
    def open(self) -> bool:
        """Whether the first element's end is still to come."""
        return not self._closed

    def add(self, line: str) -> None:
        """Look for the first element, then for its end."""
        if not self._element:
            found = _ELEMENT.search(line)
            if not found:
                return
            self._element = found[1]
            self._closed = line.rstrip().endswith("/>") and line.count("<", found.start()) == 1
        self._closed = self._closed or f"</{self._element}>" in line


def block_at(line: str) -> Block | None:
    """The block that a record's first line opens and does not close."""
    block: Block
    if line[:1] in ("{", "["):
        block = JsonBlock()
    elif line[:1] == "<" and line[1:2] and (line[1] in "?!" or line[1].isalpha()):
        block = XmlBlock()
    else:
        return None
    block.add(line)
    return block if block.open else None
