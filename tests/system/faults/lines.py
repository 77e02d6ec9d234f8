"""Lines: each carries its writer's name and its number, and can be made again from the two."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: Physical lines of a record of several; the pieces behind the first begin with white space.
RECORD: Final = 5
_NUMBERED: Final = re.compile(r"#(?P<writer>[a-z0-9]+):(?P<number>\d+);")


class Line(NamedTuple):
    """Which line it is."""

    writer: str
    number: int


def text_of(writer: str, number: int) -> str:
    """The line, without its end. The length varies, so that block ends fall anywhere."""
    mark = f"#{writer}:{number}; {'größe ' * (number % 7)}"
    if writer.startswith("multi") and number % RECORD:
        return f"\tat frame {mark}|"
    head = "<14>" if writer.startswith("net") else ""  # of syslog: a receiver believes a length only before it
    return f"{head}2026-11-22T10:00:00Z INFO order {mark}|"


def found_in(raw: str) -> list[Line]:
    """The lines that an event's raw text holds whole and undamaged."""
    found = []
    for text in raw.split("\n"):
        match = _NUMBERED.search(text)
        if match and text == text_of(match["writer"], int(match["number"])):
            found.append(Line(match["writer"], int(match["number"])))
    return found
