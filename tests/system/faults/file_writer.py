"""The file writer: a program that logs numbered lines in bursts, pauses in mid-line, and has its log rotated."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

from faults.history import History
from faults.lines import RECORD, text_of
from faults.rotation import Rotator

#: Rotated files that are kept; older ones are deleted once all their lines have arrived.
_KEEP: Final = 6
#: Seconds that a deletion waits for the lines to arrive before it is given up.
_PATIENCE: Final = 4.0


@dataclass(frozen=True)
class Plan:
    """What a writer does: `lines` of them in `seconds`, a rotation every `rotation` seconds on the average."""

    name: str
    lines: int
    seconds: float
    rotation: float
    encoding: str = "utf-8"


class FileSurroundings(NamedTuple):
    """What all writers share. `arrived(writer, first, last)`: whether these lines are on the bus, and may be deleted."""

    history: History
    arrived: Callable[[str, int, int], bool]
    stop: threading.Event


@dataclass
class FileWriter:
    """Writes to `log`, and rotates it."""

    plan: Plan
    log: Path
    dice: random.Random
    around: FileSurroundings
    written: int = 0
    _incarnation: int = 0
    _first: int = 0
    _held: dict[int, tuple[int, int]] = field(default_factory=dict)

    def run(self) -> None:
        """Write all, as evenly over the time as pauses and rotations let."""
        began = time.monotonic()
        rotator = Rotator(self.log, self.dice)
        due_rotation = self._next_rotation(0)
        out = self._open()
        while self.written < self.plan.lines and not self.around.stop.is_set():
            elapsed = time.monotonic() - began
            due = min(self.plan.lines, int(self.plan.lines * elapsed / self.plan.seconds) + 1)
            if due > self.written:
                self._burst(out, due)
            if elapsed > due_rotation:
                out = self._rotate(rotator, out)
                due_rotation = self._next_rotation(time.monotonic() - began)
            self.around.stop.wait(self.dice.uniform(0, 0.1))
        out.close()

    def _open(self) -> FileIO:
        self._incarnation += 1
        self._first = self.written
        out = self.log.open("ab", buffering=0)
        if self.plan.encoding == "utf-16":
            out.write(b"\xff\xfe")
        return out

    def _burst(self, out: FileIO, due: int) -> None:
        """The lines up to `due`, in two writes that part anywhere; a record of several lines is not torn apart."""
        last = -(-due // RECORD) * RECORD if self.plan.name.startswith("multi") else due
        last = min(last, self.plan.lines)
        text = "".join(text_of(self.plan.name, n) + "\n" for n in range(self.written, last))
        data = text.encode("utf-16-le" if self.plan.encoding == "utf-16" else self.plan.encoding)
        middle = self.dice.randrange(len(data) + 1)
        for part in (data[:middle], data[middle:]):
            out.write(part)
            time.sleep(self.dice.choice([0, 0, 0, 0.01, 0.05]))
        place = f"{self.log.name} (incarnation {self._incarnation}, inode {self.log.stat().st_ino})"
        self.around.history.wrote(self.plan.name, self.written, last - 1, place)
        self.written = last

    def _rotate(self, rotator: Rotator, out: FileIO) -> FileIO:
        if self.written == self._first:
            return out
        ways: dict[str, Callable[[], Path | None]] = {
            "rename": rotator.rename,
            "rename, reopened late": rotator.rename,
            "dated": rotator.dated,
            "rename and gzip": rotator.compressed,
            "copytruncate": rotator.copytruncate,
            "delete and recreate": self.log.unlink,
        }
        kind = self.dice.choice(list(ways))
        if kind == "delete and recreate" and not self._all_arrived(self._first, self.written - 1):
            kind = "rename"
        with self.around.history.fault(f"file: {kind}", self.log.name):
            kept = ways[kind]()
            if kind == "rename, reopened late":
                self._go_on_in(self.log.with_name(f"{self.log.name}.1"), out)
        if kept is not None:
            self._held[kept.stat().st_ino] = (self._first, self.written - 1)
        out.close()
        self._expire(rotator)
        return self._open()

    def _go_on_in(self, renamed: Path, out: FileIO) -> None:
        """The program learns of the rotation later: until then it writes where it wrote before."""
        usual, self.log = self.log, renamed
        for _ in range(3):
            time.sleep(self.dice.uniform(0, 0.3))
            self._burst(out, min(self.plan.lines, self.written + self.dice.randint(1, 50)))
        self.log = usual

    def _expire(self, rotator: Rotator) -> None:
        """Delete the oldest of what rotation left, as far as nothing of it is still to be read."""
        for path in rotator.rotated()[:-_KEEP]:
            lines = self._held.get(path.stat().st_ino)
            if lines is None or not self.around.arrived(self.plan.name, *lines):
                return
            with self.around.history.fault("file: delete a rotated file", path.name):
                del self._held[path.stat().st_ino]
                path.unlink()

    def _all_arrived(self, first: int, last: int) -> bool:
        deadline = time.monotonic() + _PATIENCE
        while not self.around.arrived(self.plan.name, first, last):
            if time.monotonic() > deadline or self.around.stop.wait(0.1):
                return False
        return True

    def _next_rotation(self, elapsed: float) -> float:
        return elapsed + self.dice.uniform(0.5, 1.5) * self.plan.rotation
