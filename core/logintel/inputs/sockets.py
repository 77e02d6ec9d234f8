"""The socket input: syslog and other line protocols over TCP and UDP.

TCP frames (RFC 6587): octet counting (`LEN SP MSG`, RFC 5425 as well) where a frame begins with a digit, else lines.
UDP: one datagram is one record (RFC 5426). A record over the limit is cut into pieces, marked with the tag `_cut`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

import structlog
from pydantic import AfterValidator

from logintel.batch import Accept, Full
from logintel.event import Event
from logintel.formats import Format, Reading, decode_records
from logintel.refused import Refused

#: Longest record, bytes.
MAX_RECORD: Final = 128 * 1024
#: Bytes taken from a connection at once, and so what one commit of it holds at most.
_CHUNK: Final = 256 * 1024
#: Datagrams that wait for the disk; UDP has no backpressure, what comes on top is dropped and counted.
_WAITING: Final = 50_000
#: Seconds between tries while the spool is full.
_FULL_PAUSE: Final = 0.2
_COUNTED: Final = re.compile(rb"([1-9][0-9]{0,8}) ")
_ADDRESS: Final = re.compile(r"(tcp|udp)://(\[[0-9A-Fa-f:.]+\]|[^:/\[\]]+):([0-9]{1,5})")

_log = structlog.get_logger(__name__)


class Address(NamedTuple):
    """Where to listen."""

    protocol: Literal["tcp", "udp"]
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """From `tcp://HOST:PORT` or `udp://HOST:PORT`. Raises ValueError."""
        match = _ADDRESS.fullmatch(text)
        if not match or int(match[3]) > 65535:
            raise ValueError(
                f"{text!r} is no address to listen on; expected such as tcp://127.0.0.1:5514 or udp://[::1]:514"
            )
        return cls("tcp" if match[1] == "tcp" else "udp", match[2].strip("[]"), int(match[3]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


def _checked(text: str) -> str:
    Address.parse(text)
    return text


#: A config value that is an address to listen on.
ListenAddress: TypeAlias = Annotated[str, AfterValidator(_checked)]


class Frames:
    """Cuts the bytes of one connection into records."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """The whole records in what came so far, each with whether it is a piece of a longer one."""
        data = self._rest + data
        place = 0
        found: list[tuple[bytes, bool]] = []
        while place < len(data):
            counted = _COUNTED.match(data, place)
            if counted:
                start, length = counted.end(), int(counted[1])
                if length > MAX_RECORD:
                    counted = None  # no sender frames so: take it for a line that begins with a number
                elif len(data) - start < length:
                    break
                else:
                    found.append((data[start : start + length], False))
                    place = start + length
                    continue
            end = data.find(b"\n", place)
            if end < 0 and len(data) - place <= MAX_RECORD:
                break
            if end < 0 or end - place > MAX_RECORD:
                found.append((data[place : place + MAX_RECORD], True))
                place += MAX_RECORD
                continue
            found.append((data[place:end], False))
            place = end + 1
        self._rest = data[place:]
        return found

    def end(self) -> list[tuple[bytes, bool]]:
        """What is left when the sender has closed: its last line, without line end."""
        rest, self._rest = self._rest, b""
        return [(rest, False)] if rest else []


@dataclass(slots=True)
class SocketInput:
    """Receives on `addresses`, decodes with `form` and hands over to `accept` before it takes more."""

    addresses: Sequence[Address]
    form: Format
    reading: Callable[[], Reading]
    accept: Accept
    bound: list[Address] = field(default_factory=list)
    dropped: int = 0

    async def run(self) -> None:
        """Serve until cancelled. Raises Refused when an address cannot be listened on."""
        async with asyncio.TaskGroup() as group:
            for address in self.addresses:
                if address.protocol == "tcp":
                    group.create_task(self._serve_tcp(address))
                else:
                    group.create_task(self._serve_udp(address))

    async def _serve_tcp(self, address: Address) -> None:
        async with _refusing(address):
            server = await asyncio.start_server(self._connection, address.host, address.port, limit=_CHUNK)
        self.bound += [address._replace(port=each.getsockname()[1]) for each in server.sockets]
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        peer = str(writer.get_extra_info("peername", ("",))[0])
        try:
            while data := await reader.read(_CHUNK):
                await self._hand_over(frames.feed(data), peer)
            await self._hand_over(frames.end(), peer)
        except OSError as error:
            _log.warning("connection_broken", peer=peer, reason=str(error))
            await self._hand_over(frames.end(), peer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve_udp(self, address: Address) -> None:
        queue: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue(_WAITING)
        loop = asyncio.get_running_loop()
        async with _refusing(address):
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self, queue), local_addr=(address.host, address.port)
            )
        self.bound.append(address._replace(port=transport.get_extra_info("sockname")[1]))
        try:
            while True:
                datagrams = [await queue.get(), *_waiting(queue)]
                for peer in dict.fromkeys(peer for _, peer in datagrams):
                    await self._hand_over([(data, False) for data, from_ in datagrams if from_ == peer], peer)
        finally:
            transport.close()

    async def _hand_over(self, records: Sequence[tuple[bytes, bool]], peer: str) -> None:
        """Decode and hand over; while the spool is full the sender waits, since nothing more is read from it."""
        events = list(self._events(records, peer))
        while events:
            try:
                await self.accept(events)
            except Full:
                await asyncio.sleep(_FULL_PAUSE)
            else:
                return

    def _events(self, records: Sequence[tuple[bytes, bool]], peer: str) -> Iterator[Event]:
        texts = [data.decode("utf-8", "backslashreplace").rstrip("\r\n\0") for data, _ in records]
        kept = [(text, cut) for text, (_, cut) in zip(texts, records, strict=True) if text and not text.isspace()]
        events, numbers = decode_records(self.form, [text for text, _ in kept], self.reading())
        for event, number in zip(events, numbers, strict=True):
            event.metadata["peer"] = peer
            if kept[number][1]:
                event.tags.append("_cut")
            yield event


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: SocketInput, queue: asyncio.Queue[tuple[bytes, str]]) -> None:
        self._owner = owner
        self._queue = queue

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        try:
            self._queue.put_nowait((data, str(addr[0])))
        except asyncio.QueueFull:
            self._owner.dropped += 1
            if self._owner.dropped & (self._owner.dropped - 1) == 0:
                _log.error(
                    "datagrams_dropped", total=self._owner.dropped, reason="they come faster than the disk takes them"
                )


def _waiting(queue: asyncio.Queue[tuple[bytes, str]]) -> Iterator[tuple[bytes, str]]:
    """Everything that is in the queue now."""
    for _ in range(queue.qsize()):
        yield queue.get_nowait()


@asynccontextmanager
async def _refusing(address: Address) -> AsyncIterator[None]:
    """An address that cannot be had, as a message that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise Refused(
            f"cannot listen on {address}: {reason}: stop what uses it (`ss -lntup` shows it) or choose another address"
        ) from error
