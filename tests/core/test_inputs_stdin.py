"""The standard input: records as in a file, the writer held back, and nothing that was read is lost at a stop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logintel.event import Event
from logintel.formats import Reading
from logintel.hooks import load_plugins
from logintel.inputs.stdin import StdinInput

FORMATS = load_plugins().formats
READING = Reading(UTC, datetime(2026, 11, 22, tzinfo=UTC))
TRACE = '2026-11-22 10:00:00 ERROR boom\nTraceback (most recent call last):\n  File "x.py", line 1\nValueError: x'


class Pipe:
    """A pipe that is read; `texts` is what was accepted, unless `disk` hangs."""

    def __init__(self, encoding: str | None = None) -> None:
        self.out, self.end = os.pipe()
        self.texts: list[str] = []
        self.tags: list[list[str]] = []
        self.disk = asyncio.Event()
        self.disk.set()
        form = FORMATS.create("auto")
        self.input = StdinInput(form, form.framer, lambda: READING, self.accept, encoding, self.out)

    async def accept(self, events: Sequence[Event]) -> None:
        self.texts += [event.raw for event in events]
        self.tags += [event.tags for event in events]
        await self.disk.wait()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.texts) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.out)


def test_records_of_several_lines_stay_whole_and_the_last_line_counts(pipe: Pipe) -> None:
    async def run() -> None:
        running = asyncio.create_task(pipe.input.run())
        for byte in TRACE.encode():
            os.write(pipe.end, bytes([byte]))
            await asyncio.sleep(0)
        os.write(pipe.end, b"\n\n2026-11-22 10:00:01 INFO last, without line end")
        os.close(pipe.end)
        await running

    asyncio.run(run())
    assert pipe.texts == [TRACE, "2026-11-22 10:00:01 INFO last, without line end"]


def test_a_record_is_not_kept_waiting_for_the_next_one(pipe: Pipe) -> None:
    async def run() -> None:
        running = asyncio.create_task(pipe.input.run())
        os.write(pipe.end, TRACE.encode() + b"\n2026-11-22 10:00:01 INFO whole\nhal")
        await pipe.until(2)
        os.write(pipe.end, b"f a line\n")
        os.close(pipe.end)
        await running

    asyncio.run(run())
    assert pipe.texts == [TRACE, "2026-11-22 10:00:01 INFO whole", "half a line"]


def test_a_program_that_writes_faster_than_the_disk_takes_is_held_back(pipe: Pipe) -> None:
    lines = [f"2026-11-22 10:00:00 INFO line {n} ".ljust(500, ".") for n in range(1000)]

    async def run() -> None:
        pipe.disk.clear()
        running = asyncio.create_task(pipe.input.run())
        writing = asyncio.create_task(asyncio.to_thread(write_all, pipe.end, "\n".join(lines).encode()))
        await pipe.until(1)
        taken = len(pipe.texts)
        await asyncio.sleep(0.05)
        assert not writing.done()
        assert len(pipe.texts) == taken
        pipe.disk.set()
        await writing
        os.close(pipe.end)
        await running

    asyncio.run(run())
    assert pipe.texts == lines


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def test_a_stop_takes_what_was_read_and_what_is_in_the_pipe(pipe: Pipe) -> None:
    async def run() -> None:
        running = asyncio.create_task(pipe.input.run())
        pipe.disk.clear()
        os.write(pipe.end, b"2026-11-22 10:00:00 INFO one\n2026-11-22 10:00:01 INFO two\n")
        await pipe.until(1)
        os.write(pipe.end, b"three\n2026-11-22 10:00:02 INFO last, without line end")
        pipe.disk.set()
        running.cancel()
        await asyncio.wait([running])
        os.close(pipe.end)

    asyncio.run(run())
    assert pipe.texts == [
        "2026-11-22 10:00:00 INFO one",
        "2026-11-22 10:00:01 INFO two\nthree",
        "2026-11-22 10:00:02 INFO last, without line end",
    ]


def test_a_line_over_the_limit_comes_in_marked_pieces(pipe: Pipe) -> None:
    async def run() -> None:
        running = asyncio.create_task(pipe.input.run())
        await asyncio.to_thread(write_all, pipe.end, b"x" * 300_000 + b"\nnext\n")
        os.close(pipe.end)
        await running

    asyncio.run(run())
    assert "".join(pipe.texts) == "x" * 300_000 + "next"
    assert [tags == ["_cut"] for tags in pipe.tags] == [True, True, False, False]


def test_a_regular_file_and_an_empty_one(tmp_path: Path) -> None:
    for text, expected in (("a\nb", ["a", "b"]), ("", [])):
        (tmp_path / "input").write_text(text)
        assert read_file(tmp_path / "input") == expected


def test_a_byte_order_mark_says_the_encoding(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes("größer\nкириллица\n".encode("utf-16"))
    assert read_file(tmp_path / "input") == ["größer", "кириллица"]


def read_file(path: Path) -> list[str]:
    """What is accepted when the standard input is a file."""
    texts: list[str] = []

    async def accept(events: Sequence[Event]) -> None:
        texts.extend(event.raw for event in events)

    form = FORMATS.create("plain")
    with path.open("rb") as file:
        asyncio.run(StdinInput(form, form.framer, lambda: READING, accept, None, file.fileno()).run())
    return texts
