"""Marks: each event carries its writer's name and its number, in its text, so that it is known wherever it turns up."""

from __future__ import annotations

import re
from typing import Final

from faults.lines import Line

_MARK: Final = re.compile(rb"#([a-z0-9]{1,20}):([0-9]{1,9});")


def mark_of(writer: str, number: int) -> str:
    """The text that is put into an event's message."""
    return f"#{writer}:{number};"


def marked(data: bytes) -> Line | None:
    """The event that some bytes speak of; None: of none of ours."""
    found = _MARK.search(data)
    return Line(found[1].decode(), int(found[2])) if found else None
