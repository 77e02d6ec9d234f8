"""The fault proxy: stands between a client and a Kafka broker and does to them what a network does.

Brokers tell clients where to connect, so in what the broker answers its port is replaced by the proxy's own
(https://kafka.apache.org/protocol: a host is a string with two bytes of length, a port four bytes).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

HOST = b"127.0.0.1"
PRODUCE = 0
#: Bytes after which a reader would pause, and later resume, of itself.
UNLIMITED = 2**30


@dataclass
class FaultProxy:
    """`address` is for clients. Faults last until they are undone; they hold for open connections and for new ones.

    stalled      set: bytes are accepted and go nowhere, in either direction (half-open)
    rate         bytes per second of each connection towards the broker; 0: no limit
    lose_answers how many answers to Produce are not handed on; the connection is cut instead
    produced     bytes of Produce requests that the broker was given
    accepted     connections taken
    error        code that answers to Produce give for the first partition, whatever the broker did; 0: its own
    named        port that the broker's answers name instead of its own; 0: the proxy's
    """

    upstream: int
    port: int = 0
    rate: int = 0
    lose_answers: int = 0
    produced: int = 0
    accepted: int = 0
    named: int = 0
    error: int = 0
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"{HOST.decode()}:{self.port}"

    @property
    def connections(self) -> int:
        """Connections to the proxy that no client has closed."""
        return sum(row[9] != "0" for row in self._clients())

    @property
    def stuck(self) -> int:
        """Bytes that clients have sent and the proxy's side has no room for."""
        return sum(int(row[4].partition(":")[0], 16) for row in self._clients())

    def _clients(self) -> list[list[str]]:
        """Their sockets, as proc(5) lists them: field 2 the other end, 4 the queues, 9 the inode, 0 for one closed."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return [row for row in rows if row[2].endswith(f":{self.port:04X}")]

    async def listen(self) -> None:
        """Take connections (again). Little fits into them, so that a stall is felt at once."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind((HOST.decode(), self.port))
        self._server = await asyncio.start_server(self._accept, sock=listening, limit=UNLIMITED)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """As a broker that is down: connections end, new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    async def close(self) -> None:
        """Refuse, and wait for the ends of all connections."""
        self.flow()
        self.refuse()
        if self._serving:
            await asyncio.wait(self._serving, timeout=10)

    def cut(self) -> None:
        """End the connections there are, without a word."""
        for writer in self._connections:
            writer.transport.abort()
        self._connections.clear()

    def stall(self) -> None:
        """Read nothing more, in the midst of whatever it is."""
        self.flowing.clear()
        for writer in self._connections:
            writer.transport.pause_reading()  # type: ignore[attr-defined]

    def flow(self) -> None:
        self.flowing.set()
        for writer in self._connections:
            if not writer.is_closing():
                writer.transport.resume_reading()  # type: ignore[attr-defined]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        if not self.flowing.is_set():
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        await self.flowing.wait()
        try:
            their_reader, their_writer = await asyncio.open_connection(HOST.decode(), self.upstream, limit=UNLIMITED)
        except OSError:
            writer.transport.abort()
            return
        self._connections.add(their_writer)
        asked: list[int] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(self._requests(reader, their_writer, asked))
            group.create_task(self._answers(their_reader, writer, asked))
        self._connections -= {writer, their_writer}

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[int]) -> None:
        with closing(_Aborting(writer)), suppress(OSError):
            while frame := await _frame(reader):
                await self.flowing.wait()
                if self.rate:
                    await asyncio.sleep(len(frame) / self.rate)
                asked.append(int.from_bytes(frame[4:6]))
                if asked[-1] == PRODUCE:
                    self.produced += len(frame)
                writer.write(frame)
                await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[int]) -> None:
        place = struct.pack(">h", len(HOST)) + HOST
        theirs = place + struct.pack(">i", self.upstream)
        with closing(_Aborting(writer)), suppress(OSError):
            while frame := await _frame(reader):
                await self.flowing.wait()
                if asked.pop(0) == PRODUCE:
                    if self.lose_answers:
                        self.lose_answers -= 1
                        return
                    frame = _with_error(frame, self.error) if self.error else frame
                writer.write(frame.replace(theirs, place + struct.pack(">i", self.named or self.port)))
                await writer.drain()


class _Aborting(NamedTuple):
    """Closes what the other side writes to, so that the end of one direction is the end of both."""

    writer: asyncio.StreamWriter

    def close(self) -> None:
        self.writer.transport.abort()


def _with_error(frame: bytes, code: int) -> bytes:
    """Size, correlation, how many topics, a topic's name, how many partitions, a partition, its error code, more."""
    place = 14 + int.from_bytes(frame[12:14]) + 8
    return frame[:place] + struct.pack(">h", code) + frame[place + 2 :]


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """A size in four bytes and as many more; nothing at the end."""
    try:
        size = await reader.readexactly(4)
        return size + await reader.readexactly(int.from_bytes(size))
    except (asyncio.IncompleteReadError, OSError):
        return b""


@asynccontextmanager
async def proxied(kafka: str) -> AsyncIterator[FaultProxy]:
    """A proxy before the broker at host:port."""
    proxy = FaultProxy(int(kafka.rpartition(":")[2]))
    proxy.flow()
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
