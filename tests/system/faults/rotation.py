"""Rotation of a log file as logrotate and programs do it; whatever would be the rotator's own loss is left out."""

from __future__ import annotations

import gzip
import random
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NUMBERED: Final = re.compile(r"\.(\d+)(\.gz)?$")


@dataclass
class Rotator:
    """Rotates `log`. Each method returns the file that has the old content then; its writer holds its pen meanwhile."""

    log: Path
    dice: random.Random

    def rename(self) -> Path:
        """`create`: .1 becomes .2 and so on, and the log becomes .1; its writer makes a new one."""
        self._shift()
        return self.log.rename(self._beside(".1"))

    def dated(self) -> Path:
        """`dateext`: the log gets a name with the time in it."""
        return self.log.rename(self._beside(f"-{time.strftime('%Y%m%d')}-{time.time_ns()}"))

    def copytruncate(self) -> Path:
        """The log is copied in pieces to .1, then truncated. A line written in between is lost to everybody."""
        self._shift()
        with self.log.open("rb") as source, self._beside(".1").open("wb", buffering=0) as copy:
            while piece := source.read(64 * 1024):
                copy.write(piece)
                self._hesitate()
        self._hesitate()
        with self.log.open("r+b") as log:
            log.truncate(0)
        return self._beside(".1")

    def compressed(self) -> Path:
        """`compress`: as `rename`, then gzip writes .1.gz and deletes .1."""
        plain, packed = self.rename(), self._beside(".1.gz")
        with plain.open("rb") as source, gzip.open(packed, "wb", 1) as target:
            shutil.copyfileobj(source, target)
        shutil.copystat(plain, packed)
        self._hesitate()
        plain.unlink()
        return packed

    def rotated(self) -> list[Path]:
        """What rotation left, oldest first."""
        beside = [path for path in self.log.parent.glob(f"{self.log.name}[.-]*") if path.is_file()]
        return sorted(beside, key=lambda path: path.stat().st_mtime)

    def _shift(self) -> None:
        numbered = [(int(match[1]), path) for path in self.rotated() if (match := _NUMBERED.search(path.name))]
        for number, path in sorted(numbered, reverse=True):
            end = ".gz" if path.suffix == ".gz" else ""
            path.rename(self._beside(f".{number + 1}{end}"))

    def _beside(self, end: str) -> Path:
        return self.log.with_name(self.log.name + end)

    def _hesitate(self) -> None:
        time.sleep(self.dice.choice([0, 0, 0.01, 0.1, 0.4]))
