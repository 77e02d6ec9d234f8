"""Handing over: gives received events to the spool, and makes whoever sent them wait while there is no room."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from logintel.batch import Accept, Full
from logintel.event import Event

#: Seconds between tries while the spool is full.
_FULL_PAUSE: Final = 0.2
_log = structlog.get_logger(__name__)


async def hand_over(accept: Accept, events: Sequence[Event]) -> None:
    """Return when the events are on disk; waits while there is no room, so take nothing more meanwhile."""
    while events:
        try:
            await accept(events)
        except Full as error:
            await _pause(len(events), error)
        else:
            return


async def hand_over_last(accept: Accept, events: Sequence[Event]) -> None:
    """The same at a stop: what there is no room for is told as lost, since nobody will wait for room."""
    try:
        if events:
            await accept(events)
    except Full as error:
        _lost(len(events), error)


async def _pause(count: int, full: Full) -> None:
    try:
        await asyncio.sleep(_FULL_PAUSE)
    except asyncio.CancelledError:
        _lost(count, full)
        raise


def _lost(count: int, full: Full) -> None:
    _log.error("received_events_lost", events=count, reason=f"stopped while there was no room: {full}")
