"""Pace: how often files are looked at, and how much of a core that may cost."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How often files are looked at. All in seconds, but for `share`.

    poll     between looks at open files
    scan     between looks for new ones
    settle   without growth after which an open record is taken for whole, and a compressed file for written
    quiet    without growth after which a file is closed (it is found again when it grows)
    copying  that a file which looks like a copy in the making (copytruncate, gzip) is given to become one
    share    of a core that looking for files may cost: the more files there are, the rarer it is done
    hurry    the same, when the kernel said that names changed
    """

    poll: float = 0.2
    scan: float = 1.0
    settle: float = 1.0
    quiet: float = 30.0
    copying: float = 60.0
    share: float = 0.004
    hurry: float = 0.05


@dataclass(slots=True)
class Looks:
    """When to look for files again. `soon`: something changed, so look as soon as its cost allows."""

    pace: Pace
    soon: bool = False
    _at: float = float("-inf")
    _cost: float = 0.0

    def due(self) -> bool:
        """Whether it is time."""
        pace = self.pace
        pause = max(pace.scan, self._cost / pace.share)
        if self.soon:
            pause = min(pause, max(pace.poll, self._cost / pace.hurry))
        return time.monotonic() - self._at >= pause

    def done(self, cost: float) -> None:
        """It was done, for `cost` CPU seconds."""
        self._at, self._cost, self.soon = time.monotonic(), cost, False
