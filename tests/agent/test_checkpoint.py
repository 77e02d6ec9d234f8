"""The checkpoint: what was saved is found again, whatever happened to the file's end."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.refused import Refused
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.mark import Mark

STAMP = "2026-11-22T10:00:00.000000Z"


def mark(n: int, identity: str = "ab" * 16) -> Mark:
    return Mark(identity, {"offset": n}, n, STAMP, "record")


def saved(path: Path, *marks: tuple[str, Mark | None]) -> None:
    checkpoint = Checkpoint(path, "machine")
    for stream, value in marks:
        checkpoint.record("shop", stream, value)
        asyncio.run(checkpoint.save())
    checkpoint.close()


def read(path: Path, machine: str = "machine") -> Checkpoint:
    checkpoint = Checkpoint(path, machine)
    checkpoint.close()
    return checkpoint


def test_the_last_mark_counts_and_an_ended_stream_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    saved(path, ("a", mark(1)), ("b", mark(2)), ("a", mark(3)), ("b", None))
    again = read(path)
    assert again.mark("shop", "a") == mark(3)
    assert again.cursors("shop") == {"a": {"offset": 3}}
    assert again.cursors("other") == {}


def test_a_person_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    saved(path, ("a", mark(1)))
    assert '"source":"shop","stream":"a"' in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@settings(max_examples=60)
@given(st.integers(0, 600), st.integers(0, 255))
def test_any_damage_costs_at_most_the_lines_it_touches(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("c") / "checkpoint"
    saved(path, *((f"s{n}", mark(n)) for n in range(4)))
    data = bytearray(path.read_bytes())
    place %= len(data)
    lines_touched = 2 if data[place] == 10 or byte == 10 else 1
    data[place] = byte
    path.write_bytes(data)
    again = read(path)
    found = [n for n in range(4) if again.mark("shop", f"s{n}") == mark(n)]
    assert len(found) >= 4 - lines_touched
    assert set(again.cursors("shop")) == {f"s{n}" for n in found}


def test_a_torn_end_is_counted_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    saved(path, ("a", mark(1)), ("a", mark(2)))
    path.write_bytes(path.read_bytes()[:-5])
    again = read(path)
    assert again.damaged == 1
    assert again.mark("shop", "a") == mark(1)


def test_it_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"

    async def run() -> None:
        checkpoint = Checkpoint(path, "machine")
        for n in range(6000):
            checkpoint.record("shop", "a", mark(n))
            await checkpoint.save()
        checkpoint.close()

    asyncio.run(run())
    assert path.stat().st_size < 300_000
    assert read(path).mark("shop", "a") == mark(5999)


def test_on_another_machine_ids_are_new_and_cursors_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    saved(path, ("a", mark(1)))
    moved = read(path, "another").mark("shop", "a")
    assert moved is not None
    assert moved.id != mark(1).id
    assert moved.cursor == mark(1).cursor
    assert read(path, "another").mark("shop", "a") == moved


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    body = b'{"v":99,"machine":"machine"}'
    path.write_bytes(b"%08x %b\n" % (crc32(body), body))
    with pytest.raises(Refused, match="newer logintel"):
        Checkpoint(path, "machine")


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.mark import Mark
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
checkpoint = Checkpoint(path, "machine")
async def run():
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
    for n in range(20):
        checkpoint.record("shop", f"s{n}", Mark("ab" * 16, {"offset": n}, n, "t", "record"))
        try:
            await checkpoint.save()
        except OSError as error:
            print("refused", n)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await checkpoint.save()
    print("saved", n)
asyncio.run(run())
"""


def test_a_full_disk_keeps_what_was_saved_and_the_rest_is_saved_later(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=300, check=True
    )
    refused, kept = (int(line.split()[1]) for line in done.stdout.splitlines())
    assert 0 < refused == kept < 19
    assert set(read(path).cursors("shop")) == {f"s{n}" for n in range(kept + 1)}
    assert read(path).damaged == 0
