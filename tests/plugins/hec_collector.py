"""A collector of HTTP events in this process: `kept` is what it took."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from logintel.batch import Full
from logintel.event import Event
from logintel.hooks import load_plugins
from logintel.source import SourceContext
from logintel_devstack.ports import free_port
from logintel_splunk.source import SplunkSource

TOKEN = "c0ffee00-1234-4321-8888-0123456789ab"
EVENT = "/services/collector/event"
RAW = "/services/collector/raw"
ACK = "/services/collector/ack"
HEALTH = "/services/collector/health"
SUCCESS = (200, {"text": "Success", "code": 0})
FORMATS = load_plugins().formats


def source(port: int, context: SourceContext | None = None, **keys: Any) -> SplunkSource:
    """The source as configured with one token, unless `keys` say otherwise."""
    if "anonymous" not in keys:
        keys.setdefault("tokens", [{"token": TOKEN, "name": "shop"}])
    config = SplunkSource.Config(name="hec", type="splunk", listen=f"127.0.0.1:{port}", **keys)
    return SplunkSource(config, context or SourceContext(formats=FORMATS))


class Collecting:
    """A running collector and a client of it; `refusals` times the spool is full, for ever if that is negative."""

    client: httpx.AsyncClient
    serving: asyncio.Future[None]

    def __init__(self, port: int) -> None:
        self.port = port
        self.kept: list[Event] = []
        self.refusals = 0
        #: Cleared: a disk that hangs.
        self.disk = asyncio.Event()
        self.disk.set()
        self.asked = asyncio.Event()

    async def accept(self, events: Sequence[Event]) -> None:
        self.asked.set()
        if self.refusals:
            self.refusals -= 1
            raise Full
        await self.disk.wait()
        self.kept += events

    async def post(
        self, body: str | bytes, path: str = EVENT, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, Any]:
        """Status and decoded answer. Underscores in the names of headers stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent.setdefault("Authorization", f"Splunk {token}")
        answer = await self.client.post(path, content=body, headers=sent)
        return answer.status_code, answer.json()

    async def stop(self) -> None:
        """As the agent stops a source."""
        self.serving.cancel()
        with suppress(asyncio.CancelledError):
            await self.serving

    @property
    def texts(self) -> list[str]:
        return [event.raw for event in self.kept]


@asynccontextmanager
async def collecting(**keys: Any) -> AsyncIterator[Collecting]:
    """While in it the collector runs."""
    running = Collecting(free_port(()))
    running.serving = asyncio.ensure_future(source(running.port, **keys).serve(running.accept))
    scheme = "https" if "tls" in keys else "http"
    base = f"{scheme}://127.0.0.1:{running.port}"
    try:
        while not await _listens(running.port):
            assert not running.serving.done(), running.serving.exception()
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(base_url=base, verify=False, timeout=60) as running.client:
            yield running
    finally:
        await running.stop()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def run(work: Callable[[Collecting], Awaitable[None]], **keys: Any) -> Collecting:
    """Do the work with a collector; what it kept can be looked at afterwards."""

    async def done() -> Collecting:
        async with collecting(**keys) as running:
            await work(running)
            return running

    return asyncio.run(done())
