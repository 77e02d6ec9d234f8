"""Watched: tells the service manager that the process is ready, how far it is, and that it lives while it gets on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from logintel.service.health import Verdict
from logintel.service.notify import Notify

#: Seconds between two words to the manager, where its watchdog does not want them more often.
EVERY: Final = 5.0
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def watched(health: Verdict, notify: Notify) -> AsyncIterator[None]:
    """While in it the manager hears of the process: ready at once, then its status, and WATCHDOG=1 as long as no part
    is stalled. A stalled process is left to the manager, which restarts it: what it had not finished is done again."""
    notify.ready()
    telling = asyncio.create_task(_tell(health, notify))
    try:
        yield
    finally:
        telling.cancel()
        notify.stopping()


async def _tell(health: Verdict, notify: Notify) -> None:
    every = min(EVERY, notify.watchdog / 3) if notify.watchdog else EVERY
    known: list[str] = []
    said = ""
    while True:
        stalled = health.stalled()
        if not stalled:
            notify.alive()
        elif [text.partition(":")[0] for text in stalled] != known:
            _log.error("stalled", parts=stalled, effect="the watchdog is not fed any more")
        known = [text.partition(":")[0] for text in stalled]
        if (text := health.status()) != said:
            notify.status(text)
            said = text
        await asyncio.sleep(every)
