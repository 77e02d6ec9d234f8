"""Connections: the bytes that one sender sends, in the clear or through TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Protocol

from logintel.inputs.readable import held, readable

#: Bytes taken from a connection at once, and so what one commit of it holds at most.
CHUNK: Final = 128 * 1024
#: Seconds that a client may take for the TLS handshake.
_HANDSHAKE: Final = 10.0
#: Seconds between looks, at a stop, whether the kernel still holds something of a connection.
_LOOK: Final = 0.05


class Connection(Protocol):
    """One sender's bytes. Every method may raise OSError when the connection breaks."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end. Cancelled, it has lost none."""

    def arrived(self) -> AsyncIterator[bytes]:
        """At a stop: what has arrived and was not read yet."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(slots=True)
class PlainConnection:
    """TCP or a Unix stream, of a socket that does not block."""

    sock: socket.socket

    async def read(self) -> bytes:
        """See Connection."""
        while True:
            await readable(self.sock.fileno())
            try:
                return self.sock.recv(CHUNK)
            except BlockingIOError:
                continue

    async def arrived(self) -> AsyncIterator[bytes]:
        """See Connection."""
        left = held(self.sock.fileno())
        while left > 0 and (data := self.sock.recv(min(left, CHUNK))):
            left -= len(data)
            yield data

    def close(self) -> None:
        """See Connection."""
        self.sock.close()


@dataclass(slots=True)
class TlsConnection:
    """The same inside TLS (RFC 5425)."""

    sock: socket.socket
    reader: asyncio.StreamReader
    transport: asyncio.Transport

    @classmethod
    async def opened(cls, connection: socket.socket, context: ssl.SSLContext) -> TlsConnection:
        """After the handshake. Raises OSError when the client does not take part in it, or is not let in."""
        reader = asyncio.StreamReader(limit=CHUNK // 2)  # it holds at most twice that
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            connection,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE,
        )
        return cls(connection, reader, transport)

    async def read(self) -> bytes:
        """See Connection."""
        return await self.reader.read(CHUNK)

    async def arrived(self) -> AsyncIterator[bytes]:
        """See Connection."""
        left = held(self.sock.fileno()) + 2 * CHUNK  # the reader has some too
        while left > 0:
            try:
                async with asyncio.timeout(_LOOK):
                    data = await self.reader.read(CHUNK)
            except TimeoutError:
                if held(self.sock.fileno()):
                    continue
                return
            if not data:
                return
            left -= len(data)
            yield data

    def close(self) -> None:
        """See Connection."""
        self.transport.abort()
