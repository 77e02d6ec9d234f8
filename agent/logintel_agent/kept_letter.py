"""The kept letter: a dead letter of the agent with the name of its source, as one checked line of a file.

The line holds the dead letter's own keys (logintel.dead_letter) and beside them `v` and `source`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from logintel.dead_letter import DeadLetter, as_json, from_json
from logintel_agent.checked_lines import entry_of, line_of

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """`source`: the source's name, "" where the record does not tell."""

    letter: DeadLetter
    source: str

    def as_json(self) -> dict[str, Any]:
        """As values of JSON."""
        return {**as_json(self.letter), "source": self.source}


def line_for(kept: Kept) -> bytes:
    """The line, with its end."""
    return line_of({"v": VERSION, **kept.as_json()})


def kept_of(line: bytes) -> Kept | None:
    """The letter of a line without its end; None: the line is torn, damaged or of a version that we do not know."""
    entry = entry_of(line)
    if entry is None or entry.get("v") != VERSION:
        return None
    try:
        return _kept(entry)
    except (KeyError, TypeError, ValueError):
        return None


def lines_in(data: bytes) -> Iterator[bytes]:
    """The lines of a file, without their ends."""
    return filter(None, data.split(b"\n"))


def _kept(entry: Mapping[str, Any]) -> Kept:
    return Kept(from_json(entry), str(entry["source"]))
