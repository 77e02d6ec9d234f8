"""Stream listeners: TCP, TLS and Unix connections, each read only as fast as the disk takes what it sends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from logintel.inputs.readable import readable
from logintel.inputs.sockets.connections import Connection, PlainConnection, TlsConnection
from logintel.inputs.sockets.frames import Frames
from logintel.inputs.sockets.handover import Handover

#: Seconds between tries while the process has no file handle left for a connection.
_NO_HANDLE_PAUSE: Final = 1.0
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
            try:
                while True:
                    await self._free_slot()
                    serving = connections.create_task(self._serve(await self._accepted()))
                    serving.add_done_callback(lambda _: self.slots.release())
            except asyncio.CancelledError:
                await asyncio.sleep(0)  # a task that is cancelled before it starts does nothing at all
                await self._serve_waiting()
                raise

    async def _free_slot(self) -> None:
        if self.slots.locked():
            reason = "max_connections are open: further senders wait until one closes"
            _log.warning("connections_at_limit", address=str(self.listening.getsockname()), reason=reason)
        await self.slots.acquire()

    async def _accepted(self) -> socket.socket:
        while True:
            await readable(self.listening.fileno())
            try:
                return self._accept()
            except BlockingIOError:
                continue
            except OSError as error:  # no file handle, or the sender has gone already
                _log.warning("connection_not_taken", reason=error.strerror, retry_in=_NO_HANDLE_PAUSE)
                await asyncio.sleep(_NO_HANDLE_PAUSE)

    def _accept(self) -> socket.socket:
        connection, _ = self.listening.accept()
        connection.setblocking(False)
        return connection

    async def _serve(self, accepted: socket.socket) -> None:
        peer = _peer(accepted)
        try:
            connection = await TlsConnection.opened(accepted, self.tls) if self.tls else PlainConnection(accepted)
        except OSError as error:
            _log.warning("connection_refused", peer=peer, reason=str(error) or type(error).__name__)
            accepted.close()
            return
        sender = _Sender(connection, self.handover(), peer)
        try:
            await sender.read()
        except OSError as error:
            _log.warning("connection_broken", peer=peer, reason=str(error))
            await sender.give(sender.frames.end())
        except asyncio.CancelledError:
            await sender.read_last()
            raise
        finally:
            connection.close()

    async def _serve_waiting(self) -> None:
        """At a stop: what those sent that nobody has taken yet; over TLS none of them can have sent anything."""
        with suppress(OSError):  # BlockingIOError: there are no more
            while self.tls is None:
                connection = PlainConnection(self._accept())
                await _Sender(connection, self.handover(), _peer(connection.sock)).read_last()
                connection.close()


@dataclass(slots=True)
class _Sender:
    """One connection's records."""

    connection: Connection
    handover: Handover
    peer: str
    frames: Frames = field(default_factory=Frames)

    async def give(self, records: list[tuple[bytes, bool]]) -> None:
        await self.handover.give(records, [self.peer] * len(records))

    async def read(self) -> None:
        """To the end of what the sender sends."""
        while data := await self.connection.read():
            await self.give(self.frames.feed(data))
        await self.give(self.frames.end())

    async def read_last(self) -> None:
        """What has arrived, and what of it is no whole record yet: nobody else would ever see it."""
        with suppress(OSError):  # broken: what came before is kept
            async for data in self.connection.arrived():
                await self._give_last(self.frames.feed(data))
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
