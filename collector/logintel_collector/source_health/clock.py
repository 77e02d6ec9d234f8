"""The broker's clock as a reader of its topics can know it: hosts' clocks, and the reader's own, may be wrong."""

from __future__ import annotations

import time
from collections.abc import Callable


class BrokerClock:
    """Seconds since 1970. It goes on by itself from the latest time that a record was stamped with, so it is never
    ahead; before the first one it is this host's."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._started = monotonic()
        self._offset = wall() - self._started
        self._heard = False

    def heard(self, at: float) -> None:
        """A record was read that the broker took at `at`."""
        offset = at - self._monotonic()
        self._offset = max(self._offset, offset) if self._heard else offset
        self._heard = True

    def now(self) -> float:
        """What it is there now, or a little before."""
        return self._monotonic() + self._offset

    @property
    def listened(self) -> float:
        """Seconds for which this clock has been read along."""
        return self._monotonic() - self._started
