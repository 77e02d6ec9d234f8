"""A running socket input: `events` is what it handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from logintel.batch import Full
from logintel.event import Event
from logintel.formats import Reading
from logintel.hooks import load_plugins
from logintel.inputs.sockets import ListenConfig, SocketInput
from logintel.refused import Refused

FORMATS = load_plugins().formats
READING = Reading(UTC, datetime(2026, 11, 22, tzinfo=UTC))


class Receiver:
    """Listens on `address` with further keys of the configuration; `accept` refuses the first `refusals` times."""

    def __init__(self, *addresses: str, refusals: int = 0, form: str = "auto", **keys: Any) -> None:
        self.events: list[Event] = []
        self.refusals = refusals
        #: While it is clear, nothing is accepted: a disk that hangs.
        self.disk = asyncio.Event()
        self.disk.set()
        config = ListenConfig(name="net", type="application", listen=addresses, **keys)
        self.input = SocketInput(config, lambda: FORMATS.create(form), lambda: READING, self.accept)

    async def accept(self, events: Sequence[Event]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Full
        self.events += events
        await self.disk.wait()

    @property
    def texts(self) -> list[str]:
        """The raw text of every event so far."""
        return [event.raw for event in self.events]

    @property
    def port(self) -> int:
        return self.input.bound[0].port

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)

    async def _run(self, client: Callable[[], Awaitable[None]]) -> None:
        running = asyncio.create_task(self.input.run())
        try:
            await self.until(lambda: len(self.input.bound) == len(self.input.config.listen) or running.done())
            if not running.done():
                await client()
        finally:
            running.cancel()
            await asyncio.wait([running])
        if not running.cancelled():
            await running

    def serve(self, client: Callable[[], Awaitable[None]]) -> list[Event]:
        """Serve while `client` runs; raises what the input raises. What it handed over until it has stopped."""
        asyncio.run(self._run(client))
        return self.events


async def send_tcp(port: int, data: bytes) -> None:
    """One connection that sends `data` and is closed."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def nothing() -> None:
    """A client that sends nothing."""


def refused(address: str, *parts: str) -> None:
    """The address cannot be had, and the message says so."""
    with pytest.raises(ExceptionGroup) as raised:
        Receiver(address).serve(nothing)
    (error,) = raised.value.exceptions
    assert isinstance(error, Refused)
    assert str(error).startswith(f"cannot listen on {address}: ")
    for part in parts:
        assert part in str(error)
