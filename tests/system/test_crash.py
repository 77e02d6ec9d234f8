"""Killed at random moments over a numbered, rotating log, and started again: every number is found once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import orjson
import pytest

COMMAND = [sys.executable, "-m", "logintel"]
LINES = 12_000


@dataclass
class Writer:
    """Writes numbered lines and rotates like logrotate does, in step with itself so that the rotation loses nothing."""

    log: Path
    dice: random.Random
    rotations: Counter[str] = field(default_factory=Counter)
    written: int = 0

    def run(self) -> None:
        out = self.log.open("ab", buffering=0)
        while self.written < LINES:
            burst = self.dice.randint(1, 400)
            last = min(LINES, self.written + burst)
            data = b"".join(b"2026-11-22 10:00:00 INFO event number %d\n" % n for n in range(self.written, last))
            middle = self.dice.randrange(len(data) + 1)
            for part in (data[:middle], data[middle:]):
                out.write(part)
                time.sleep(0.01)
            self.written = last
            if self.dice.random() < 0.15:
                out = self.rotate(out)
        out.close()

    def rotate(self, out: FileIO) -> FileIO:
        numbered = [self.log.with_name(f"{self.log.name}.{n}") for n in range(60)]
        have = next(n for n in range(1, 60) if not numbered[n].exists())
        for n in range(have, 1, -1):
            numbered[n - 1].rename(numbered[n])
        if self.dice.random() < 0.5:
            self.rotations["rename"] += 1
            self.log.rename(numbered[1])
            out.close()
            return self.log.open("ab", buffering=0)
        self.rotations["copytruncate"] += 1
        shutil.copyfile(self.log, numbered[1])
        os.truncate(self.log, 0)
        return out


def start(data: Path, pattern: str, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "run", pattern, "--data", str(data), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_every_number_is_found_once(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    data, log = tmp_path / "data", tmp_path / "app.log"
    log.touch()
    writer = Writer(log, random.Random(seed + 1000))
    thread = threading.Thread(target=writer.run)
    thread.start()
    kills = 0
    while thread.is_alive() or kills < 5:
        process = start(data, str(tmp_path / "app.log*"))
        time.sleep(dice.uniform(0.3, 2.0))
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    thread.join()
    done = start(data, str(tmp_path / "app.log*"), "--once", "--json")
    out, err = done.communicate(timeout=600)
    assert done.returncode == 0, err
    summary = orjson.loads(out.splitlines()[-1])
    assert set(writer.rotations) == {"rename", "copytruncate"}

    found = subprocess.run(
        [*COMMAND, "search", "*", "--data", str(data), "--json", "--limit", str(10 * LINES)],
        capture_output=True,
        check=True,
    )
    numbers = Counter(int(orjson.loads(line)["message"].rsplit(" ", 1)[1]) for line in found.stdout.splitlines())
    assert sorted(set(range(LINES)) - numbers.keys()) == []
    assert {n: count for n, count in numbers.items() if count > 1} == {}
    assert summary["total_indexed"] == LINES
    parts = ("events_indexed", "dead_letters", "filtered", "repeats")
    assert summary["events_read"] == sum(summary[part] for part in parts)
