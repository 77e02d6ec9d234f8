"""`logintel spool`: damage is found and named, intact events are exported, and a repair loses and repeats none.

What peers' disk buffers lack: theirs get stuck on damage and can only be deleted (peers' complaint 14).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from logintel.batch import Cursor
from logintel.bus.segment import HEADER_BYTES
from logintel.event import Event
from logintel.main import main
from logintel_agent.spool import Spool

MAGIC = b"\xf5\xc1\xfe\xff"
#: Events a segment, and segments: small ones, since a log has at least eight before it is full.
EACH, SEGMENTS = 20, 5
Positions = dict[tuple[str, tuple[int, int]], str]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool of five segments under a data directory."""
    directory = tmp_path / "agent" / "worker-0" / "spool" / "net"

    async def fill() -> None:
        spool = Spool(directory, 16_000)
        for first in range(0, EACH * SEGMENTS, EACH):
            await spool.accept([Event(f"line {n} " + "x" * 60) for n in range(first, first + EACH)])
        await spool.close()

    asyncio.run(fill())
    assert len(segments(directory)) == SEGMENTS
    return directory


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.seg"))


def command(spool: Path, verb: str, *words: str) -> int:
    return main(["spool", verb, "--data", str(spool.parents[3]), *words])


def checked(spool: Path, capfd: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """The exit code of `check`, and what it says of the one spool."""
    code = command(spool, "check", "--json")
    said = json.loads(capfd.readouterr().out)
    assert said["damaged"] == (code == 1)
    (one,) = said["spools"]
    assert isinstance(one, dict)
    return code, one


def delivered(directory: Path, cursors: dict[str, Cursor], count: int = 10**6) -> Positions:
    """What an agent sends that starts now: at least `count` events, or all; it has saved the cursors of what it got."""

    async def run() -> Positions:
        spool = Spool(directory, 10**9)
        got: Positions = {}
        async with aclosing(spool.batches(dict(cursors), once=True)) as batches:
            async for batch in batches:
                events = [event for event in batch.events if isinstance(event, Event)]
                got |= {(batch.stream, span): event.raw for span, event in zip(batch.spans or (), events, strict=True)}
                if batch.events:
                    cursors[batch.stream] = batch.cursor
                if len(got) >= count:
                    break
        await spool.close()
        return got

    return asyncio.run(run())


def numbers(events: Positions) -> list[int]:
    return [int(text.split()[1]) for text in events.values()]


def test_an_intact_spool_passes(spool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, said = checked(spool, capfd)
    assert (code, said["source"], said["records"], said["in_use_by"]) == (0, "net", EACH * SEGMENTS, None)
    assert [segment["records"] for segment in said["segments"]] == [EACH] * SEGMENTS
    assert said["bytes"] == sum(path.stat().st_size for path in segments(spool))
    assert command(spool, "check") == 0
    assert f"{EACH * SEGMENTS} records" in capfd.readouterr().out


def flipped(data: bytes) -> bytes:
    """One byte inside the text of the tenth event."""
    place = data.index(b"line", start(data, 9))
    return data[:place] + b"L" + data[place + 1 :]


def start(data: bytes, number: int) -> int:
    """Where record `number` of a segment begins, counted from 0."""
    return len(MAGIC.join(data.split(MAGIC)[: number + 1]))


Change = Callable[[bytes], bytes]
DAMAGES: dict[str, tuple[Change, int, str]] = {
    "flipped byte": (flipped, 1, "the sum of the record differs"),
    "torn tail": (lambda data: data[:-7], 1, "torn: the file ends within a record"),
    "truncated": (lambda data: data[: start(data, 12) + 40], EACH - 12, "torn: the file ends within a record"),
    "garbage": (lambda data: os.urandom(len(data)), EACH, "the header of the file is damaged or missing"),
    "zeros": (
        lambda data: data[: start(data, 6)] + bytes(len(data) - start(data, 6)),
        EACH - 6,
        "no record begins here",
    ),
    "header lost": (lambda data: data[HEADER_BYTES:], 0, "the header of the file is damaged or missing"),
    "empty": (lambda data: b"", EACH, "the header of the file is damaged or missing"),
}


@pytest.mark.parametrize("which", [0, 2, SEGMENTS - 1])
@pytest.mark.parametrize("kind", DAMAGES)
def test_complaint_14_a_damaged_buffer_is_repaired_not_deleted(
    kind: str, which: int, spool: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change, lost, reason = DAMAGES[kind]
    file = segments(spool)[which]
    before = change(file.read_bytes())
    file.write_bytes(before)
    code, said = checked(spool, capfd)
    damage = said["segments"][which]["damage"]
    assert (code, damage[0]["reason"]) == (1, reason)
    assert said["records"] == EACH * SEGMENTS - lost
    expected = delivered_from_copy(spool)
    assert len(expected) == said["records"]

    assert command(spool, "repair") == 0
    assert (spool / "damaged" / file.name).read_bytes() == before
    assert str(file) in capfd.readouterr().out
    code, said = checked(spool, capfd)
    assert (code, said["records"]) == (0, len(expected))
    assert delivered(spool, {}) == expected, "the same events under the same positions"


def delivered_from_copy(spool: Path) -> Positions:
    """What the agent would send without a repair."""
    copy = spool.parents[3] / "copy"
    copy.mkdir()
    for path in segments(spool):
        (copy / path.name).write_bytes(path.read_bytes())
    return delivered(copy, {})


def test_a_repair_in_the_middle_of_delivery_repeats_nothing(spool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cursors: dict[str, Cursor] = {}
    first = delivered(spool, cursors, count=2 * EACH + 1)
    for file in segments(spool)[1:4]:
        file.write_bytes(flipped(file.read_bytes()))
    assert command(spool, "repair") == 0
    capfd.readouterr()
    second = delivered(spool, cursors)
    assert not first.keys() & second.keys()
    assert sorted(numbers(first | second)) == sorted({*range(EACH * SEGMENTS)} - lost_of(first, second))
    assert len(lost_of(first, second)) <= 3


def lost_of(*parts: Positions) -> set[int]:
    return set(range(EACH * SEGMENTS)) - {number for part in parts for number in numbers(part)}


def test_a_second_repair_keeps_what_the_first_put_aside(spool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = segments(spool)[0]
    for _ in range(2):
        file.write_bytes(flipped(file.read_bytes()))
        assert command(spool, "repair") == 0
    assert sorted(path.name for path in (spool / "damaged").iterdir()) == [file.name, f"{file.name}.1"]
    assert command(spool, "repair") == 0
    assert len(list((spool / "damaged").iterdir())) == 2
    capfd.readouterr()


def test_export_writes_every_intact_event(spool: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = segments(spool)[2]
    file.write_bytes(flipped(file.read_bytes()))
    assert command(spool, "export") == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(lines) == EACH * SEGMENTS - 1
    assert lines[0]["raw_log"] == "line 0 " + "x" * 60
    assert (lines[0]["source"], lines[0]["number"]) == ("net", 1)
    assert {line["stream"] for line in lines} == {path.stem[21:] for path in segments(spool)}

    output = tmp_path / "rescued.jsonl"
    assert command(spool, "export", "--output", str(output)) == 0
    assert [json.loads(line) for line in output.read_bytes().splitlines()] == lines
    assert output.stat().st_mode & 0o777 == 0o600
    assert command(spool, "export", "--output", str(output)) == 1
    assert "name a new file" in capfd.readouterr().err


def test_while_an_agent_holds_it_a_spool_is_checked_but_not_repaired(
    spool: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> tuple[int, dict[str, Any], int]:
        held = Spool(spool, 10**9)
        await held.accept([Event("the newest")])
        newest = segments(spool)[-1]
        with newest.open("ab") as file:
            file.write(newest.read_bytes()[HEADER_BYTES : HEADER_BYTES + 30])  # a record that is being written
        code, said = checked(spool, capfd)
        repaired = command(spool, "repair")
        await held.close()
        return code, said, repaired

    code, said, repaired = asyncio.run(run())
    assert (code, said["in_use_by"], said["records"]) == (0, os.getpid(), EACH * SEGMENTS + 1)
    assert repaired == 1
    assert f"in use by process {os.getpid()}: stop the agent first" in capfd.readouterr().err
    assert not (spool / "damaged").exists()


def test_what_is_no_spool_is_said_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["spool", "check", "--data", str(tmp_path / "typo")]) == 1
    assert "--data or --config" in capfd.readouterr().err
    assert main(["spool", "check", str(tmp_path / "typo")]) == 1
    assert "name a spool" in capfd.readouterr().err
    (tmp_path / "agent").mkdir()
    assert main(["spool", "check", "--data", str(tmp_path)]) == 0
    assert "nothing was received" in capfd.readouterr().out
