"""Unix sockets to listen on: their mode, and what may be at their path already."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import pytest
from receiver import Receiver, nothing, refused

LINE = b"<34>Oct 11 22:14:15 su: 'su root' failed for lonvick on /dev/pts/8"


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
