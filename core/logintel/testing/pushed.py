"""The contract of sources that are sent to: nothing is answered before it is kept, and a full spool is waited out."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar, Final

from logintel.batch import Full
from logintel.event import Event
from logintel.hooks import load_plugins
from logintel.source import Source, SourceContext

#: Seconds that one exchange may take.
TIMEOUT: Final = 30.0
#: Times that the spool is full before it takes something.
_FULL: Final = 3


class _Spool:
    """Stands in for the agent's spool: keeps what it accepts, when it is allowed to."""

    def __init__(self, full: int = 0) -> None:
        self.kept: list[Event] = []
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self._full = full

    async def accept(self, events: Sequence[Event]) -> None:
        self.asked.set()
        if self._full:
            self._full -= 1
            raise Full
        await self.open.wait()
        self.kept += events


class PushedContract(ABC):
    """Subclass it in a test module, as `class TestMyReceiver(PushedContract)`, and say how it is made and sent to."""

    #: Whether the sender is answered: then the answer has to wait for the spool.
    answers: ClassVar[bool] = True

    @abstractmethod
    def source(self, context: SourceContext) -> Source:
        """A new instance, listening where `send` sends to: a port of the test's own, the same at each call."""

    @abstractmethod
    async def send(self, records: Sequence[str]) -> None:
        """Send as a client does, again where it is told to (HTTP 503), until the receiver has answered that it has all.
        Raises ConnectionError while nobody listens."""

    @abstractmethod
    def records(self) -> Sequence[str]:
        """Raw texts to send, malformed ones among them; each has to become one event."""

    def test_everything_arrives_once(self) -> None:
        """Each record, none twice."""
        spool = asyncio.run(self._exchange(full=0))
        assert Counter(event.raw for event in spool.kept) == Counter(self.records())

    def test_a_full_spool_loses_nothing(self) -> None:
        """The sender waits or tries again; what was refused was not kept."""
        spool = asyncio.run(self._exchange(full=_FULL))
        assert Counter(event.raw for event in spool.kept) == Counter(self.records())

    def test_nothing_is_answered_before_it_is_kept(self) -> None:
        """Killed before the spool has it, the sender knows that it was not taken."""

        async def exchange() -> None:
            spool = _Spool()
            async with asyncio.timeout(TIMEOUT):
                serving = asyncio.ensure_future(self.source(_context()).serve(spool.accept))
                sending = asyncio.ensure_future(self._sent())
                await spool.asked.wait()
                for _ in range(20):
                    await asyncio.sleep(0.01)
                assert not (self.answers and sending.done()), "the sender was answered before its records were kept"
                spool.open.set()
                await sending
                await _ended(serving)

        asyncio.run(exchange())

    def test_stopped_it_lets_go_of_its_address(self) -> None:
        """Cancelled in the middle of an exchange, it ends, and the next start can listen."""

        async def stop() -> None:
            spool = _Spool()
            async with asyncio.timeout(TIMEOUT):
                serving = asyncio.ensure_future(self.source(_context()).serve(spool.accept))
                sending = asyncio.ensure_future(self._sent())
                await spool.asked.wait()
                await _ended(serving)
                sending.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await sending

        asyncio.run(stop())
        assert asyncio.run(self._exchange(full=0)).kept

    async def _exchange(self, full: int) -> _Spool:
        spool = _Spool(full)
        spool.open.set()
        async with asyncio.timeout(TIMEOUT):
            serving = asyncio.ensure_future(self.source(_context()).serve(spool.accept))
            await self._sent()
            while len(spool.kept) < len(self.records()):
                assert not serving.done(), serving.exception()
                await asyncio.sleep(0.01)
            await _ended(serving)
        return spool

    async def _sent(self) -> None:
        while True:
            try:
                return await self.send(self.records())
            except ConnectionError:
                await asyncio.sleep(0.02)  # it does not listen yet


def _context() -> SourceContext:
    return SourceContext(formats=load_plugins().formats)


async def _ended(serving: asyncio.Future[None]) -> None:
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
