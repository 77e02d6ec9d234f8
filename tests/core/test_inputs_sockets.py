"""The socket input: framing by any cut, and real senders over TCP, TLS and Unix streams."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from receiver import Receiver, send_tcp
from structlog.testing import capture_logs

from logintel.inputs.sockets import MAX_RECORD, Address, Frames, ListenConfig
from logintel.refused import Refused

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


def test_a_line_that_begins_with_a_number_is_a_line() -> None:
    frames = Frames()
    assert [record for record, _ in frames.feed(b"200 OK\n404 not found\n7 <34>a b")] == [
        b"200 OK",
        b"404 not found",
        b"<34>a b",
    ]


def test_syslog_over_tcp() -> None:
    receiver = Receiver("tcp://127.0.0.1:0")
    data = LINE + b"\n" + b"%d %b" % (len(LINE), LINE) + b"\r\n\n" + b"last without line end"

    async def client() -> None:
        await send_tcp(receiver.port, data)
        await receiver.until(lambda: len(receiver.events) == 3)

    events = receiver.serve(client)
    assert [event.raw for event in events] == [LINE.decode(), LINE.decode(), "last without line end"]
    assert events[0].fields["host"] == "mymachine"
    assert events[0].metadata["peer"] == "127.0.0.1"


def test_complaint_21_a_full_spool_makes_the_sender_wait_and_loses_nothing() -> None:
    receiver = Receiver("tcp://127.0.0.1:0", refusals=3)
    lines = [f"message {n}" for n in range(2000)]

    async def client() -> None:
        await send_tcp(receiver.port, "\n".join(lines).encode())
        await receiver.until(lambda: len(receiver.events) == 2000)

    receiver.serve(client)
    assert receiver.texts == lines


def test_a_sender_that_never_ends_its_line_does_not_stop_the_others() -> None:
    receiver = Receiver("tcp://127.0.0.1:0")

    async def client() -> None:
        _, slow = await asyncio.open_connection("127.0.0.1", receiver.port)
        slow.write(b"999 <34>half a rec")
        await slow.drain()
        for n in range(50):
            await send_tcp(receiver.port, b"message %d\n" % n)
        await receiver.until(lambda: len(receiver.events) == 50)
        slow.close()

    receiver.serve(client)
    assert set(receiver.texts) >= {f"message {n}" for n in range(50)}


def test_senders_over_the_limit_wait_until_a_connection_closes() -> None:
    receiver = Receiver("tcp://127.0.0.1:0", max_connections=2)

    async def client() -> None:
        _, first = await asyncio.open_connection("127.0.0.1", receiver.port)
        _, second = await asyncio.open_connection("127.0.0.1", receiver.port)
        for writer in (first, second):
            writer.write(b"in time\n")
        await receiver.until(lambda: len(receiver.events) == 2)
        waiting = asyncio.create_task(send_tcp(receiver.port, b"late\n"))
        first.write(b"still in time\n")
        await receiver.until(lambda: len(receiver.events) == 3)
        assert "late" not in receiver.texts
        first.close()
        await receiver.until(lambda: len(receiver.events) == 4)
        await waiting
        second.close()

    with capture_logs() as logs:
        receiver.serve(client)
    assert receiver.texts[3:] == ["late"]
    assert "connections_at_limit" in {log["event"] for log in logs}


def test_what_has_arrived_when_it_is_stopped_is_kept() -> None:
    receiver = Receiver("tcp://127.0.0.1:0")
    lines = [f"message {n}" for n in range(2000)]

    async def client() -> None:
        sender.connect(("127.0.0.1", receiver.port))
        sender.sendall("\n".join(lines).encode())  # less than the first window, so it is with the receiver now

    with socket.socket() as sender:
        receiver.serve(client)
    assert receiver.texts == lines, "the last line too, which has no line end"


def test_a_stop_takes_what_came_over_connections_that_had_to_wait() -> None:
    receiver = Receiver("tcp://127.0.0.1:0", max_connections=1)

    async def client() -> None:
        for n, sender in enumerate(senders):
            sender.connect(("127.0.0.1", receiver.port))
            sender.send(b"message %d\n" % n)

    senders = [socket.socket() for _ in range(5)]
    receiver.serve(client)
    for sender in senders:
        sender.close()
    assert sorted(receiver.texts) == [f"message {n}" for n in range(5)]


def test_what_a_stop_finds_no_room_for_is_told() -> None:
    receiver = Receiver("tcp://127.0.0.1:0", refusals=10**9)

    async def client() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"one\ntwo\n")
        await receiver.until(lambda: receiver.refusals < 10**9)
        writer.close()

    with capture_logs() as logs:
        assert receiver.serve(client) == []
    assert [(log["event"], log["events"]) for log in logs] == [("received_events_lost", 2)]


def test_a_broken_connection_keeps_what_came() -> None:
    receiver = Receiver("tcp://127.0.0.1:0")

    async def client() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"whole\npart")
        await receiver.until(lambda: len(receiver.events) == 1)
        transport = writer.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        transport.abort()
        await receiver.until(lambda: len(receiver.events) == 2)

    receiver.serve(client)
    assert receiver.texts == ["whole", "part"]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_in_use_is_said_so(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            holder.listen()
        refused(f"{protocol}://127.0.0.1:{holder.getsockname()[1]}", "choose another address")


def refused(address: str, *parts: str) -> None:
    """The address cannot be had, and the message says so."""
    with pytest.raises(ExceptionGroup) as raised:
        Receiver(address).serve(nothing)
    (error,) = raised.value.exceptions
    assert isinstance(error, Refused)
    assert str(error).startswith(f"cannot listen on {address}: ")
    for part in parts:
        assert part in str(error)


async def nothing() -> None:
    """A client that sends nothing."""


def test_a_unix_stream_with_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "log.sock"
    receiver = Receiver(f"unix://{path}", socket_mode="0662")

    async def client() -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o662
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(LINE + b"\n")
        await receiver.until(lambda: len(receiver.events) == 1)
        writer.close()

    (event,) = receiver.serve(client)
    assert (event.raw, "peer" in event.metadata) == (LINE.decode(), False)
    assert not path.exists()


def test_a_unix_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    for kind, scheme in ((socket.SOCK_STREAM, "unix"), (socket.SOCK_DGRAM, "unixgram")):
        path = tmp_path / f"{scheme}.sock"
        with socket.socket(socket.AF_UNIX, kind) as killed:
            killed.bind(str(path))
        assert Receiver(f"{scheme}://{path}").serve(nothing) == []
        assert not path.exists()


@pytest.mark.parametrize("scheme", ["unix", "unixgram"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_unix_socket_in_use_is_left_alone(scheme: str, kind: socket.SocketKind, tmp_path: Path) -> None:
    path = tmp_path / "log.sock"
    with socket.socket(socket.AF_UNIX, kind) as holder:
        holder.bind(str(path))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        inode = path.stat().st_ino
        refused(f"{scheme}://{path}", "Address already in use", f"grep {path}")
        assert path.stat().st_ino == inode


def test_a_file_where_the_socket_should_be_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.sock"
    path.write_text("precious")
    refused(f"unix://{path}", "something that is no socket")
    assert path.read_text() == "precious"


TLS = Path(__file__).parent / "data" / "tls"


def client_tls(certificate: str | None = None) -> ssl.SSLContext:
    """A client that trusts the test's authority and may show a certificate."""
    context = ssl.create_default_context(cafile=TLS / "ca.pem")
    if certificate:
        context.load_cert_chain(TLS / certificate)
    return context


def test_syslog_over_tls() -> None:
    receiver = Receiver("tls://127.0.0.1:0", tls={"cert": TLS / "server.pem"})
    lines = [f"<34>1 2026-11-22T10:00:00Z host app - - - message {n}".encode() for n in range(3000)]

    async def client() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=client_tls())
        writer.write(b"".join(b"%d %b" % (len(line), line) for line in lines))
        await writer.drain()
        writer.close()
        await receiver.until(lambda: len(receiver.events) == 3000)

    receiver.serve(client)
    assert [text.encode() for text in receiver.texts] == lines


def test_tls_takes_only_clients_of_the_authority_it_was_given() -> None:
    receiver = Receiver("tls://127.0.0.1:0", tls={"cert": TLS / "server.pem", "client_ca": TLS / "ca.pem"})

    async def client() -> None:
        await send_tcp(receiver.port, b"in the clear\n")
        reader, stranger = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=client_tls())
        stranger.write(b"without a certificate\n")
        with pytest.raises(OSError, match=r"CERTIFICATE_REQUIRED|reset|closed"):  # TLS 1.3 tells it at the first read
            raise OSError("closed") if await reader.read(1) == b"" else AssertionError
        _, known = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=client_tls("client.pem"))
        known.write(b"known\n")
        await receiver.until(lambda: len(receiver.events) == 1)
        known.close()

    with capture_logs() as logs:
        receiver.serve(client)
    assert receiver.texts == ["known"]
    assert [log["event"] for log in logs].count("connection_refused") == 2


def test_a_certificate_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "garbage.pem").write_text("no certificate")
    for file, part in (("garbage.pem", "PEM"), ("missing.pem", "No such file")):
        with pytest.raises(Refused, match=f"(?s){part}.*{file}|{file}.*{part}"):
            Receiver("tls://127.0.0.1:0", tls={"cert": tmp_path / file}).serve(nothing)


def test_tls_keys_and_addresses_belong_together() -> None:
    with pytest.raises(ValidationError, match="needs `tls:"):
        ListenConfig(name="net", type="application", listen=("tls://127.0.0.1:0",))
    with pytest.raises(ValidationError, match="there is none in `listen`"):
        Receiver("tcp://127.0.0.1:0", tls={"cert": TLS / "server.pem"})


@pytest.mark.parametrize(
    "text",
    ["", "tcp://", "tcp://host", "http://host:80", "tcp://host:99999", "tcp://::1:514", "514", "unix://relative"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected such as tcp"):
        Address.parse(text)


def test_addresses() -> None:
    assert Address.parse("udp://[::1]:514") == Address("udp", "::1", 514)
    assert str(Address.parse("udp://[::1]:514")) == "udp://[::1]:514"
    assert str(Address.parse("unixgram:///dev/log")) == "unixgram:///dev/log"
    with pytest.raises(ValueError, match="at most 107 bytes"):
        Address.parse("unix:///" + "x" * 107)
