"""The socket input: framing by any cut, and real senders over TCP and UDP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel.batch import Full
from logintel.event import Event
from logintel.formats import Reading
from logintel.hooks import load_plugins
from logintel.inputs.sockets import MAX_RECORD, Address, Frames, ListenConfig, SocketInput
from logintel.refused import Refused

FORMATS = load_plugins().formats
READING = Reading(UTC, datetime(2026, 11, 22, tzinfo=UTC))
LINE = b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"

RECORDS = st.lists(
    st.binary(min_size=1, max_size=40).filter(lambda data: b"\n" not in data and not data[:1].isdigit()), max_size=6
)


@given(RECORDS, st.lists(st.booleans(), min_size=6, max_size=6), st.lists(st.integers(0, 400), max_size=5))
def test_frames_are_the_same_however_the_bytes_arrive(
    records: list[bytes], counted: list[bool], cuts: list[int]
) -> None:
    data = b"".join(
        b"%d <%b" % (len(record) + 1, record) if octets else record + b"\n"
        for record, octets in zip(records, counted, strict=False)
    )
    frames, found = Frames(), []
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(bounds):
        found += frames.feed(data[start:end])
    expected = [b"<" + record if octets else record for record, octets in zip(records, counted, strict=False)]
    assert [record for record, _ in found + frames.end()] == expected


def test_a_last_line_without_line_end_counts() -> None:
    frames = Frames()
    assert frames.feed(b"whole\npart") == [(b"whole", False)]
    assert frames.end() == [(b"part", False)]
    assert frames.end() == []


def test_a_line_over_the_limit_comes_in_marked_pieces() -> None:
    frames = Frames()
    found = frames.feed(b"x" * (2 * MAX_RECORD + 5) + b"\nnext\n")
    assert [(len(record), cut) for record, cut in found] == [
        (MAX_RECORD, True),
        (MAX_RECORD, True),
        (5, False),
        (4, False),
    ]


class Served:
    """A running input; `events` is what it handed over."""

    def __init__(self, address: str, refusals: int = 0, **keys: Any) -> None:
        self.events: list[Event] = []
        self.refusals = refusals
        config = ListenConfig(name="net", type="application", listen=(address,), **keys)
        self.input = SocketInput(config, lambda: FORMATS.create("auto"), lambda: READING, self.accept)

    async def accept(self, events: Sequence[Event]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Full
        self.events += events

    async def port(self) -> int:
        while not self.input.bound:
            await asyncio.sleep(0.005)
        return self.input.bound[0].port

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.events) < count:
                await asyncio.sleep(0.005)


def serve(served: Served, client: Callable[[int], Awaitable[None]], count: int) -> list[Event]:
    async def run() -> None:
        running = asyncio.create_task(served.input.run())
        try:
            await client(await served.port())
            await served.until(count)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    return served.events


async def send_tcp(port: int, data: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_syslog_over_tcp() -> None:
    data = LINE + b"\n" + b"%d %b" % (len(LINE), LINE) + b"\r\n\n" + b"last without line end"
    events = serve(Served("tcp://127.0.0.1:0"), lambda port: send_tcp(port, data), 3)
    assert [event.raw for event in events] == [LINE.decode(), LINE.decode(), "last without line end"]
    assert events[0].fields["host"] == "mymachine"
    assert events[0].metadata["peer"] == "127.0.0.1"


def test_a_full_spool_makes_the_sender_wait_and_loses_nothing() -> None:
    lines = [b"message %d" % n for n in range(2000)]
    events = serve(Served("tcp://127.0.0.1:0", refusals=3), lambda port: send_tcp(port, b"\n".join(lines)), 2000)
    assert [event.raw.encode() for event in events] == lines


def test_syslog_over_udp() -> None:
    async def client(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(50):
                sender.sendto(LINE + b"\n", ("127.0.0.1", port))

    events = serve(Served("udp://127.0.0.1:0"), client, 50)
    assert {event.raw for event in events} == {LINE.decode()}


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_in_use_is_said_so(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            holder.listen()
        address = f"{protocol}://127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(ExceptionGroup) as raised:
            asyncio.run(Served(address).input.run())
    (error,) = raised.value.exceptions
    assert isinstance(error, Refused)
    assert str(error).startswith(f"cannot listen on {address}: ")
    assert "choose another address" in str(error)


@pytest.mark.parametrize(
    "text", ["", "tcp://", "tcp://host", "http://host:80", "tcp://host:99999", "tcp://::1:514", "514"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected such as tcp"):
        Address.parse(text)


def test_addresses() -> None:
    assert Address.parse("udp://[::1]:514") == Address("udp", "::1", 514)
    assert str(Address.parse("udp://[::1]:514")) == "udp://[::1]:514"
