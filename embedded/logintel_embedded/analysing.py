"""Analysing: the analyst beside the collector in one process, over the store's file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog

from logintel_collector.analytics.look import Analyst
from logintel_collector.analytics.state import State
from logintel_collector.stores.errors import StoreFull, StoreLocked
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_events import SqliteEvents

#: Seconds between tries while the store takes nothing.
PAUSE: Final = 30.0
_log = structlog.get_logger(__name__)


class Analysing:
    """Counts the store's events until it is told to finish."""

    def __init__(self, store: Store, values: int, clock: Callable[[], datetime]) -> None:
        """`values`: see AnalyticsConfig."""
        self._store, self._values, self._clock = store, values, clock
        self._ending = asyncio.Event()

    def finish(self) -> None:
        """Let `run` end when what is stored by now is counted."""
        self._ending.set()

    async def run(self) -> None:
        """A store that takes nothing for a while stops it only so long."""
        events = await SqliteEvents.open(self._store.path)
        try:
            while not await self._work(events):
                await self._rest(PAUSE)
        finally:
            await events.close()

    async def _work(self, events: SqliteEvents) -> bool:
        """Look again and again; True: finished, False: the store took nothing."""
        try:
            analyst = Analyst(
                events, self._store, State(await self._store.analytics_state(), self._values), self._clock
            )
            while True:
                ending, began = self._ending.is_set(), time.monotonic()
                looked = await analyst.look()
                if ending and not looked.left:
                    return True
                await self._rest(looked.rest(time.monotonic() - began))
        except (StoreFull, StoreLocked) as error:
            _log.warning("analytics_wait", reason=str(error), effect="the next look counts everything")
            return self._ending.is_set()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
