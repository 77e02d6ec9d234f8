"""A full disk, really: a small tmpfs under the data directory. Nothing is lost; it goes on when there is room."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "logintel"]
LINES = 20_000


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_is_said_waited_out_and_costs_nothing(small: Path, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("".join(f"2026-11-22 10:00:00 INFO event number {n}\n" for n in range(LINES)))
    with (tmp_path / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "run", "--once", "--json", "--data", str(small / "data"), str(log)],
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    deadline = time.monotonic() + 300
    while "waits" not in (said := (tmp_path / "stderr").read_text()):
        assert process.poll() is None, said
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "no room" in said or "No space left" in said
    subprocess.run(["mount", "-o", "remount,size=200m", small], check=True)
    out, _ = process.communicate(timeout=600)
    said = (tmp_path / "stderr").read_text()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    summary = json.loads(out.splitlines()[-1])
    assert summary["total_indexed"] == LINES
    found = subprocess.run(
        [*COMMAND, "search", "*", "--json", "--limit", str(2 * LINES), "--data", str(small / "data")],
        capture_output=True,
        check=True,
    )
    numbers = [int(json.loads(line)["message"].rsplit(" ", 1)[1]) for line in found.stdout.splitlines()]
    assert sorted(numbers) == list(range(LINES))


def test_a_disk_that_is_full_at_the_start_is_refused_in_one_line(small: Path, tmp_path: Path) -> None:
    (small / "ballast").write_bytes(b"\1" * (4 * 1024 * 1024 - 4096))
    log = tmp_path / "app.log"
    log.write_text("text\n")
    done = subprocess.run(
        [*COMMAND, "run", "--once", "--data", str(small / "data"), str(log)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "room" in done.stderr or "No space left" in done.stderr
