"""Stream listeners: TCP, TLS and Unix connections, each read only as fast as the disk takes what it sends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from logintel.inputs.sockets.frames import Frames
from logintel.inputs.sockets.handover import Handover

#: Bytes taken from a connection at once, and so what one commit of it holds at most.
_CHUNK: Final = 128 * 1024
#: Seconds that a client may take for the TLS handshake.
_HANDSHAKE: Final = 10.0
#: Seconds between tries while the process has no file handle left for a connection.
_NO_HANDLE_PAUSE: Final = 1.0
#: At a stop a connection is read until it is silent for so long, and no longer than that (seconds).
_SILENCE: Final = 0.05
_STOP: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class StreamListener:
    """Takes connections on a listening socket while `slots` are free: what waits for one is the kernel's to hold."""

    listening: socket.socket
    handover: Callable[[], Handover]
    slots: asyncio.Semaphore
    tls: ssl.SSLContext | None = None

    async def run(self) -> None:
        """Serve until cancelled; what has arrived by then is still taken."""
        async with asyncio.TaskGroup() as connections:
            while True:
                await self._free_slot()
                connection = await self._connection()
                serving = connections.create_task(self._serve(connection))
                serving.add_done_callback(lambda _: self.slots.release())

    async def _free_slot(self) -> None:
        if self.slots.locked():
            reason = "max_connections are open: further senders wait until one closes"
            _log.warning("connections_at_limit", address=str(self.listening.getsockname()), reason=reason)
        await self.slots.acquire()

    async def _connection(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self.listening)
            except OSError as error:  # no file handle, or the sender has gone already
                _log.warning("connection_not_taken", reason=error.strerror, retry_in=_NO_HANDLE_PAUSE)
                await asyncio.sleep(_NO_HANDLE_PAUSE)
            else:
                return connection

    async def _serve(self, connection: socket.socket) -> None:
        peer = _peer(connection)
        try:
            reader, transport = await self._opened(connection)
        except OSError as error:
            _log.warning("connection_refused", peer=peer, reason=str(error) or type(error).__name__)
            connection.close()
            return
        sender = _Sender(reader, self.handover(), peer)
        try:
            await sender.read()
        except OSError as error:
            _log.warning("connection_broken", peer=peer, reason=str(error))
            await sender.give(sender.frames.end())
        except asyncio.CancelledError:
            await sender.read_last()
            raise
        finally:
            transport.abort()

    async def _opened(self, connection: socket.socket) -> tuple[asyncio.StreamReader, asyncio.Transport]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK // 2)  # it holds at most twice that
        transport, _ = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            connection,
            ssl=self.tls,
            ssl_handshake_timeout=_HANDSHAKE if self.tls else None,
        )
        return reader, transport


@dataclass(slots=True)
class _Sender:
    """One connection's records."""

    reader: asyncio.StreamReader
    handover: Handover
    peer: str
    frames: Frames = field(default_factory=Frames)

    async def give(self, records: list[tuple[bytes, bool]]) -> None:
        await self.handover.give(records, [self.peer] * len(records))

    async def read(self) -> None:
        """To the end of what the sender sends."""
        while data := await self.reader.read(_CHUNK):
            await self.give(self.frames.feed(data))
        await self.give(self.frames.end())

    async def read_last(self) -> None:
        """What has arrived, and what of it is no whole record yet: nobody else would ever see it."""
        deadline = asyncio.get_running_loop().time() + _STOP
        try:
            while asyncio.get_running_loop().time() < deadline:
                async with asyncio.timeout(_SILENCE):
                    data = await self.reader.read(_CHUNK)
                if not data:
                    break
                await self._give_last(self.frames.feed(data))
        except OSError:
            pass  # silent (TimeoutError is one), or broken
        await self._give_last(self.frames.end())

    async def _give_last(self, records: list[tuple[bytes, bool]]) -> None:
        await self.handover.give_last(records, [self.peer] * len(records))


def _peer(connection: socket.socket) -> str:
    """The sender's IP address; empty where it has none."""
    try:
        name = connection.getpeername()
    except OSError:
        return ""
    return str(name[0]) if isinstance(name, tuple) else ""
