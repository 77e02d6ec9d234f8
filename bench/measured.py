"""Measured: `measured.py REPORT COMMAND…` runs the command and writes to REPORT what it cost, as `Cost` reads it.

A process of its own between the benchmark and the command, because a child inherits its parent's peak of memory
(getrusage(2), ru_maxrss), and the benchmark's own is larger than what it measures. It stays small: no imports of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What a run cost: `cpu` and `seconds` in seconds, `memory` the peak in bytes."""

    cpu: float
    seconds: float
    memory: int


class Run:
    """A command that was started; `finish` waits for its end."""

    def __init__(self, report: Path, words: Sequence[str | Path], log: Path) -> None:
        """What it says on stderr goes to `log`."""
        self._report, self._log = report, log
        report.unlink(missing_ok=True)
        with log.open("wb") as file:
            command = [sys.executable, __file__, str(report), *map(str, words)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def finish(self) -> tuple[Cost, bytes]:
        """What it cost and what it printed. Raises SystemExit when it failed."""
        printed, _ = self._process.communicate()
        if self._process.returncode:
            raise SystemExit(f"it failed with {self._process.returncode}:\n{self._log.read_text('utf-8', 'replace')}")
        return Cost(*json.loads(self._report.read_bytes())), printed


def _main(report: str, *words: str) -> int:
    started = time.monotonic()
    # A service starts from compiled bytecode; where this is set it would compile all of ours at each start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    running = subprocess.Popen(words, env=environment)
    _pid, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    Path(report).write_text(json.dumps([usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss * 1024]))
    return running.returncode


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
