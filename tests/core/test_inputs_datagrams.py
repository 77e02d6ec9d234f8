"""Datagrams: each is a record; what the kernel had no room for is counted, and a Unix socket makes its senders wait."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from receiver import FORMATS, READING, Receiver
from structlog.testing import capture_logs

from logintel.inputs.sockets import MAX_RECORD
from logintel.inputs.sockets.datagrams import BUFFER, DatagramListener
from logintel.inputs.sockets.handover import Handover

LINE = "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"


def udp(port: int) -> socket.socket:
    """A sender."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", port))
    return sender


def test_syslog_over_udp_with_the_sender_of_each() -> None:
    receiver = Receiver("udp://127.0.0.1:0")

    async def client() -> None:
        with udp(receiver.port) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", 0))
            for n in range(50):
                one.send(f"{LINE} {n}\n".encode())
                other.sendto(f"{LINE} {n + 50}\n\0".encode(), ("127.0.0.1", receiver.port))
        await receiver.until(lambda: len(receiver.events) == 100)

    events = receiver.serve(client)
    assert {event.raw for event in events} == {f"{LINE} {n}" for n in range(100)}
    senders = {(int(event.raw.rsplit(" ")[-1]) < 50, event.metadata["peer"]) for event in events}
    assert senders == {(True, "127.0.0.1"), (False, "127.0.0.2")}


def test_the_largest_datagram_is_one_record() -> None:
    receiver = Receiver("udp://127.0.0.1:0")
    largest = 65_507  # what UDP over IPv4 can carry

    async def client() -> None:
        with udp(receiver.port) as sender:
            sender.send(b"x" * largest)
        await receiver.until(lambda: len(receiver.events) == 1)

    (event,) = receiver.serve(client)
    assert (len(event.raw), event.tags) == (largest, [])


def test_a_unix_datagram_over_the_limit_comes_in_marked_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log.sock"
    receiver = Receiver(f"unixgram://{path}")

    async def client() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
            sender.sendto(b"x" * (MAX_RECORD + 5), str(path))
        await receiver.until(lambda: len(receiver.events) == 2)

    events = receiver.serve(client)
    assert [(len(event.raw), event.tags) for event in events] == [(MAX_RECORD, ["_cut"]), (5, [])]


def test_what_the_kernel_drops_is_counted_and_told() -> None:
    receiver = Receiver("udp://127.0.0.1:0", form="plain")
    sent = 0

    async def client() -> None:
        nonlocal sent
        receiver.disk.clear()
        with udp(receiver.port) as sender:
            for _ in range(3000):  # 180 MB: more than the memory and the kernel hold together
                sender.send(b"y" * 60_000)
                sent += 1
                if sent % 100 == 0:
                    await asyncio.sleep(0)
        receiver.disk.set()
        await receiver.until(lambda: receiver.input.dropped > 0)

    with capture_logs() as logs:
        receiver.serve(client)
    assert len(receiver.events) + receiver.input.dropped == sent
    assert receiver.input.dropped > 1000
    (told, *_) = [log for log in logs if log["event"] == "datagrams_dropped"]
    assert told["log_level"] == "error"
    assert "rmem_max" in told["reason"]


def test_the_kernel_is_asked_for_a_large_buffer_and_a_small_one_is_told() -> None:
    async def run() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
            bound.setblocking(False)
            bound.bind(("127.0.0.1", 0))
            running = asyncio.create_task(
                DatagramListener(bound, Handover(FORMATS.create("plain"), lambda: READING, receiver.accept)).run()
            )
            await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait([running])
            return bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    receiver = Receiver("udp://127.0.0.1:0")
    allowed = int(Path("/proc/sys/net/core/rmem_max").read_text("ascii"))
    with capture_logs() as logs:
        given = asyncio.run(run())
    assert given >= min(BUFFER, allowed)
    assert [log["event"] for log in logs] == (["receive_buffer_small"] if given < BUFFER else [])


def test_datagrams_that_have_arrived_when_it_is_stopped_are_kept() -> None:
    receiver = Receiver("udp://127.0.0.1:0")

    async def client() -> None:
        with udp(receiver.port) as sender:
            for n in range(100):
                sender.send(b"message %d" % n)

    receiver.serve(client)
    assert receiver.texts == [f"message {n}" for n in range(100)]


def test_a_unix_datagram_sender_is_held_back_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.sock"
    receiver = Receiver(f"unixgram://{path}", form="plain")

    def send() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for n in range(2000):
                sender.sendto((b"message %d " % n).ljust(40_000, b"z"), str(path))

    async def client() -> None:
        receiver.disk.clear()
        sending = asyncio.create_task(asyncio.to_thread(send))
        await receiver.until(lambda: len(receiver.events) > 0)
        assert not sending.done()
        receiver.disk.set()
        await sending
        await receiver.until(lambda: len(receiver.events) == 2000)

    receiver.serve(client)
    assert [text.split()[1] for text in receiver.texts] == [str(n) for n in range(2000)]
    assert receiver.input.dropped == 0
