"""`logintel run` and its commands on a file system that is read-only from the start, or turns so while it runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

COMMAND = [sys.executable, "-m", "logintel"]
Mount = Callable[[str, str], Path]


def logintel(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr + done.stdout
    return done


def count(data: Path) -> int:
    done = logintel("search", "*", "--count", "--data", data)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_what_was_stored_is_found_though_nothing_can_be_written(mount: Mount, tmp_path: Path) -> None:
    place, log = mount("disk", "size=64m"), tmp_path / "app.log"
    log.write_text("2026-11-22 10:00:00 ERROR one\n2026-11-22 10:00:01 INFO two\n")
    assert logintel("run", log, "--once", "--data", place / "data").returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    assert count(place / "data") == 2
    alerts = logintel("alerts", "list", "--json", "--data", place / "data")
    assert (alerts.returncode, alerts.stderr) == (0, "")
    refused = logintel("run", log, "--once", "--data", place / "data")
    assert refused.returncode == 1
    assert refused.stderr == (
        f"logintel: data directory {place}/data: Read-only file system: name another one with --data\n"
    )


def test_a_file_system_that_turns_read_only_is_said_and_costs_a_restart(tmp_path: Path) -> None:
    image, place, log = tmp_path / "image", tmp_path / "disk", tmp_path / "app.log"
    place.mkdir()
    with image.open("wb") as out:
        out.truncate(64 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, place], check=True)
    try:
        write(log, 0, 500)
        process = subprocess.Popen([*COMMAND, "run", log, "--data", place / "data"], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not (place / "data" / "logintel.sqlite").exists() or count(place / "data") < 500:
            assert time.monotonic() < deadline
        device = subprocess.check_output(["findmnt", "-no", "SOURCE", place], text=True).strip()
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("test")
        write(log, 500, 1000)
        assert process.stderr is not None
        said = process.stderr.readline()
        assert "Read-only file system" in said
        assert str(place / "data") in said
        process.terminate()
        _, said = process.communicate(timeout=120)
        assert "Traceback" not in said
        subprocess.run(["umount", place], check=True)
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, place], check=True)
        assert logintel("run", log, "--once", "--data", place / "data").returncode == 0
        found = logintel("search", "*", "--json", "--limit", "0", "--data", place / "data").stdout.splitlines()
        numbers = [int(json.loads(line)["message"].rsplit(" ", 1)[1]) for line in found]
        assert sorted(numbers) == list(range(1000))
    finally:
        process.kill()
        subprocess.run(["umount", "--lazy", place], check=True)


def write(log: Path, first: int, last: int) -> None:
    with log.open("a") as out:
        out.write("".join(f"2026-11-22 10:00:00 INFO event {n}\n" for n in range(first, last)))
