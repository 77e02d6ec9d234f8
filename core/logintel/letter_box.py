"""The letter box: a place where dead letters are kept, and what `logintel deadletters` does with those in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple, Protocol

from logintel.dead_letter import DeadLetter, as_json


class StaysHere(Exception):
    """A letter cannot go on; the message says why, and what to do."""


class Found(NamedTuple):
    """A letter. `source`: its source's name, "" where the record does not tell; `place`: the box's own word for it."""

    letter: DeadLetter
    source: str
    place: Any

    def as_json(self) -> dict[str, Any]:
        """As values of JSON."""
        return {**as_json(self.letter), "source": self.source}


class LetterBox(Protocol):
    """Any of it may raise Refused: what was not done yet is as it was."""

    def letters(self) -> AsyncIterator[Found]:
        """Every letter that waits for somebody, oldest first as far as the box has an order."""

    async def drop(self, found: Sequence[Found]) -> int:
        """Take letters away for good; how many were still there."""

    async def replay(self, found: Sequence[Found]) -> list[tuple[Found, str]]:
        """Let each go on from the stage that refused it, then take it away; those that stay, with why."""

    def notes(self) -> list[str]:
        """What else is to be said of the letters, once they were read."""

    async def close(self) -> None:
        """Let go, in bounded time."""
