"""logger(1) of util-linux, by every way in which it sends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from receiver import Receiver

WORDS = ["--id=4711", "-p", "local3.warning", "-t", "shop", "no such order 815"]


async def logger(*words: str) -> None:
    """Run it. It fails where it cannot connect; a datagram that nobody takes it does not notice."""
    process = await asyncio.create_subprocess_exec("logger", *words)
    assert await process.wait() == 0


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("tcp://127.0.0.1:0", ["-T"]),
        ("tcp://127.0.0.1:0", ["-T", "--octet-count"]),
        ("udp://127.0.0.1:0", ["-d"]),
        ("unixgram://{directory}/log", []),
        ("unix://{directory}/log", []),
    ],
)
def test_what_logger_sends_is_understood(address: str, way: list[str], form: str, tmp_path: Path) -> None:
    receiver = Receiver(address.format(directory=tmp_path))

    async def client() -> None:
        to = ["-u", str(tmp_path / "log")] if "unix" in address else ["-n", "127.0.0.1", "-P", str(receiver.port)]
        await logger(*to, *way, form, *WORDS)
        await receiver.until(lambda: len(receiver.events) == 1)

    (event,) = receiver.serve(client)
    assert (event.message, event.level, event.fields["service"]) == ("no such order 815", "WARN", "shop")
    assert (event.metadata["facility"], event.metadata["pid"]) == ("local3", "4711")
    assert event.timestamp is not None
    assert event.format == "syslog"


def test_lines_of_a_file_that_logger_sends_stay_apart(tmp_path: Path) -> None:
    lines = [f"line {n} 'quoted' <not a priority>" for n in range(200)]
    (tmp_path / "lines").write_text("\n".join(lines))
    receiver = Receiver("tcp://127.0.0.1:0")

    async def client() -> None:
        await logger("-n", "127.0.0.1", "-P", str(receiver.port), "-T", "-f", str(tmp_path / "lines"))
        await receiver.until(lambda: len(receiver.events) == len(lines))

    assert [event.message for event in receiver.serve(client)] == lines
