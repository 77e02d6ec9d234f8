"""`logintel run` through faults of its file, of its bus and of what it reads: clear words, nothing lost, nothing twice."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "logintel"]
STORE = "logintel.sqlite"


def logintel(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr + done.stdout
    return done


def once(data: Path, log: Path) -> dict[str, Any]:
    done = logintel("run", log, "--once", "--json", "--data", data)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def messages(data: Path, query: str = "*") -> list[str]:
    done = logintel("search", query, "--data", data, "--json", "--limit", "0")
    assert done.returncode == 0, done.stderr
    return sorted(json.loads(line)["message"] for line in done.stdout.splitlines())


def write(log: Path, text: str) -> None:
    with log.open("a") as out:
        out.write(text)


def wait_for(data: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until so many events are found."""
    deadline = time.monotonic() + 120
    while len(messages(data)) < count:
        assert process.poll() is None
        assert time.monotonic() < deadline


def lines(first: int, last: int) -> str:
    return "".join(f"2026-11-22 10:00:00 INFO event {n:05}\n" for n in range(first, last))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text(lines(0, 2000))
    return path


def poison() -> list[bytes]:
    """Lines that programs have really written, or could."""
    event = b'{"message":"poison","timestamp":"2026-11-22T10:00:00Z"'
    values = [
        *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (30, 250, 900, 5000)),
        *(b"[" * depth + b"]" * depth for depth in (250, 900, 5000)),
        b"123456789012345678901234567890",
        b"1e999",
        b'"\\ud800"',
        b'"\\u0000"',
        b'{"":1,".":1,"a..b":1,"_id":1,"a\\u0000b":1,"\\udfff":1}',
        b"{" + b",".join(b'"f%d":1' % n for n in range(5000)) + b"}",
        b'{"' + b"n" * 1_000_000 + b'":1}',
        b'"' + b"x" * 3_000_000 + b'"',
    ]
    names = [b"log_id", b"source_id", b"raw_log", b"metadata", b"tags", b"stream", b"level", b"message"]
    return [
        *(event + b',"value":' + value + b"}" for value in values),
        *(event + b',"%s":{"a":[1]}}' % name for name in names),
        b"\xff\xfe\xfd no UTF-8",
        b"NUL \0 in text",
        b"x" * 3_000_000,
        b"{" * 50_000,
    ]


def test_poison_stops_nothing_and_the_account_closes(tmp_path: Path) -> None:
    """A line that was nested 255 levels deep ended its source; users of peers know that of theirs."""
    log, data = tmp_path / "app.log", tmp_path / "data"
    bad = poison()
    good = [b'{"message":"good %d","timestamp":"2026-11-22T10:00:00Z"}' % n for n in range(len(bad) + 1)]
    log.write_bytes(b"".join(b"%s\n%s\n" % pair for pair in zip(good, bad, strict=False)) + good[-1] + b"\n")
    summary = once(data, log)
    parts = ("events_indexed", "dead_letters", "filtered", "repeats")
    assert summary["events_read"] == sum(summary[part] for part in parts) >= len(good) + len(bad)
    assert summary["problems"] == []
    assert messages(data, "message:good") == sorted(f"good {n}" for n in range(len(good)))
    assert once(data, log)["events_read"] == 0


def test_a_file_that_somebody_has_locked_is_waited_for(tmp_path: Path, log: Path) -> None:
    data = tmp_path / "data"
    once(data, log)
    process = subprocess.Popen(
        [*COMMAND, "run", log, "--data", data], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        write(log, lines(2000, 2100))
        wait_for(data, 2100, process)
        with closing(sqlite3.connect(data / STORE, isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            write(log, lines(2100, 2500))
            assert process.stderr is not None
            said = b""
            while b"store_waits" not in said:
                said = process.stderr.readline()
                assert said, process.wait()
            assert b"in use by another process" in said
            somebody.execute("ROLLBACK")
        wait_for(data, 2500, process)
    finally:
        process.terminate()
        process.communicate()
    assert messages(data) == [f"event {n:05}" for n in range(2500)]


def test_a_damaged_file_is_named_with_what_to_do_by_every_command(tmp_path: Path, log: Path) -> None:
    data = tmp_path / "data"
    once(data, log)
    whole = (data / STORE).read_bytes()
    dice = random.Random(5)
    for damaged in (whole[:50_000], dice.randbytes(4096) + whole[4096:]):
        (data / STORE).write_bytes(damaged)
        for words in (["run", log, "--once"], ["search", "*"], ["alerts", "list"]):
            done = logintel(*words, "--data", data)
            assert done.returncode == 1
            (told,) = done.stderr.splitlines()
            assert f"{STORE}: damaged" in told
            assert "move it aside" in told
            assert ".recover" in told
    assert (data / STORE).read_bytes() == damaged  # nobody made it worse


def test_damage_on_the_bus_costs_what_was_damaged_and_is_said(tmp_path: Path, log: Path) -> None:
    data = tmp_path / "data"
    once(data, log)
    with closing(sqlite3.connect(data / STORE)) as store:  # as if it had been killed before anything was stored
        store.executescript(
            "DELETE FROM bus_offsets; DELETE FROM documents; DELETE FROM log_entries;DELETE FROM stream_positions;"
        )
    (segment,) = (data / "bus").glob("*.seg")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0xFF
    segment.write_bytes(content)
    done = logintel("run", log, "--once", "--json", "--data", data)
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout.splitlines()[-1])["problems"]
    assert "damaged on disk and could not be read" in problem
    found = messages(data)
    assert 0 < 2000 - len(found) < 1000
    assert len(set(found)) == len(found)
