"""The outcome: what became of a batch's events when they were enriched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Withheld(Exception):
    """An event must not go on: an enricher that fails closed failed on it. `reason` names it in the dead letter."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Outcomes(NamedTuple):
    """bodies      of each event, its JSON, or why there is none
    unenriched  events that an enricher failed on and that go on without it
    """

    bodies: Sequence[bytes | Exception]
    unenriched: int = 0
