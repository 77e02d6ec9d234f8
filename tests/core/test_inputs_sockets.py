"""The socket input: senders over TCP are heard, held back and told apart; a stop loses nothing that has arrived."""

from __future__ import annotations

import asyncio
import socket

import pytest
from receiver import Receiver, refused, send_tcp
from structlog.testing import capture_logs

from logintel.inputs.sockets import Address
from logintel.inputs.sockets.binding import listening

LINE = b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"


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


def test_a_name_is_listened_on_at_all_of_its_addresses_and_gone_senders_are_noticed() -> None:
    async def run() -> None:
        async with listening(Address.parse("tcp://localhost:0"), 0o600) as opened:
            found = await asyncio.get_running_loop().getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)
            ours = {one.getsockname()[0] for one in opened}
            assert "127.0.0.1" in ours <= {place[0] for *_, place in found}
            for one in opened:
                with socket.create_connection(one.getsockname()[:2]):
                    connection, _ = one.accept()
                with connection:
                    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                    idle, interval, count = (
                        connection.getsockopt(socket.IPPROTO_TCP, option)
                        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                    )
                    assert idle + interval * count == 120

    asyncio.run(run())


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_in_use_is_said_so(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            holder.listen()
        refused(f"{protocol}://127.0.0.1:{holder.getsockname()[1]}", "choose another address")


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
