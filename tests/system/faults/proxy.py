"""The proxy: stands between agent and broker and does to their connections what networks do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from logintel_devstack.ports import HOST, free_port

#: pass      as if it were not there
#: slow      little at a time, late
#: silent    connections stay, and are made, but nothing comes through: a half-open network
#: answers_lost  what the agent sends arrives, the answers do not
Mode: TypeAlias = Literal["pass", "slow", "silent", "answers_lost"]


@dataclass
class Proxy:
    """Listens on `port` and connects to `target`, a port of this machine, in a thread of its own."""

    target: int = 0
    port: int = field(default_factory=lambda: free_port(()))
    mode: Mode = "pass"
    _thread: threading.Thread = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _ended: asyncio.Event = field(init=False)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def start(self) -> None:
        """Begin to listen."""
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), daemon=True)
        self._thread.start()
        listening.wait()

    def stop(self) -> None:
        """End its thread."""
        self.reset()
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def reset(self) -> None:
        """Break every connection, as a firewall that forgot them does."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result(30)

    async def _serve(self, listening: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self._connection, HOST, self.port):
            listening.set()
            await self._ended.wait()

    async def _reset(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        await asyncio.gather(self._pump(reader, back, answers=False), self._pump(there, writer, answers=True))
        self._open -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await self._taken(reader):
                await self._held_back()
                if not (answers and self.mode == "answers_lost"):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    def _taken(self, reader: asyncio.StreamReader) -> Coroutine[Any, Any, bytes]:
        return reader.read(2048 if self.mode == "slow" else 256 * 1024)

    async def _held_back(self) -> None:
        if self.mode == "slow":
            await asyncio.sleep(0.02)
        while self.mode == "silent":
            await asyncio.sleep(0.02)
