"""Progress: the agent's status as the service manager and monitoring want it, asked for now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from logintel.refused import Refused
from logintel.service.health import PATIENCE
from logintel_agent.status import Status

#: Seconds between two looks, and for an answer.
EVERY: Final = 5.0
_ANSWER: Final = 30.0


class Progress:
    """A Verdict on the agent. Kafka being away is no stall: to start the process anew would not bring it back."""

    def __init__(self, ask: Callable[[], Awaitable[Status]]) -> None:
        """`ask` answers the status with its health."""
        self.last: Status | None = None
        self._ask = ask
        self._looked = time.monotonic()

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Look regularly while in it."""
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()

    def stalled(self) -> list[str]:
        """See Verdict."""
        silent = time.monotonic() - self._looked
        if silent >= PATIENCE:
            return [f"agent: no answer about itself for {silent:.0f} s"]
        if self.last is None or self.last["health"]["verdict"] != "stalled" or self.last["bus"]["trouble"]:
            return []
        return list(self.last["health"]["reasons"])

    def unready(self) -> list[str]:
        """See Verdict."""
        if self.last is None:
            return ["agent: starting"]
        return self.stalled() or list(self.last["health"]["reasons"])

    def status(self) -> str:
        """See Verdict."""
        if self.last is None:
            return "starting"
        reasons = self.last["health"]["reasons"]
        sources = self.last["sources"]
        sent, waiting = (sum(source[key] for source in sources) for key in ("events_sent", "waiting_events"))
        counts = f"{len(sources)} sources, {sent:,} events sent, {waiting:,} waiting"
        return f"{reasons[0]}; {counts}" if reasons else counts

    async def _look(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_ANSWER):
                    self.last = await self._ask()
                self._looked = time.monotonic()
            except (Refused, TimeoutError):
                pass  # `stalled` says so when it lasts
            await asyncio.sleep(EVERY)
