"""The wake-up: rouses everyone who waits for something to change, once."""

from __future__ import annotations

import asyncio


class Wakeup:
    """Look, and wait when there is nothing: between the two nothing may be awaited."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fire(self) -> None:
        """Wake those who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next `fire`."""
        await self._event.wait()
