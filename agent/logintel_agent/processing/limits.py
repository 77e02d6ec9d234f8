"""Limits: how fast, and how much a day, events of one source may be sent.

What is over a limit waits (the source is the buffer, or its spool) or is dropped. A replay may decide otherwise about
an event than the first time, since that depends on the clock; its identity is the same, so it is never stored twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import structlog

from logintel.config.process import ProcessConfig, QuotaConfig, RateLimitConfig
from logintel_agent.processing.work import Work

#: Directory of the quotas' files.
QUOTAS: Final = "quotas"

_log = structlog.get_logger(__name__)


class Limits:
    """The limits of one source."""

    def __init__(self, source: str, config: ProcessConfig, directory: Path) -> None:
        """`directory`: the worker's own, where quotas keep their counts."""
        self._limits: list[Limit] = []
        if config.rate_limit:
            self._limits.append(RateLimit(config.rate_limit))
        if config.quota:
            self._limits.append(Quota(config.quota, directory / QUOTAS / f"{source}.json"))

    def apply(self, work: Work) -> None:
        """Drop what is over a limit that drops; what is over one that blocks is to `wait`."""
        for limit in self._limits:
            allowed = limit.take(list(map(len, work.values)))
            for place in range(allowed, len(work.values)):
                work.drop(place, limit.reason)
            work.close()

    def wait(self) -> float:
        """Seconds until what was taken may be sent; asked again then."""
        return max((limit.wait() for limit in self._limits if limit.blocks), default=0.0)


class Limit(Protocol):
    """One limit. `blocks`: what is over it waits; else it is dropped for `reason`."""

    reason: str
    blocks: bool

    def take(self, sizes: Sequence[int]) -> int:
        """How many of the events, whose sizes in bytes these are, may be sent; the rest is over the limit.

        Of a limit that blocks, all: then `wait` tells when.
        """

    def wait(self) -> float:
        """Seconds until what was taken may be sent; asked again then."""


@dataclass(slots=True)
class _Bucket:
    """Tokens that come at `rate` a second, up to `most`; what is taken beyond them is owed."""

    rate: float
    most: float
    tokens: float
    filled: float

    def fill(self, now: float) -> None:
        self.tokens = min(self.most, self.tokens + (now - self.filled) * self.rate)
        self.filled = now

    def wait(self) -> float:
        return max(0.0, -self.tokens / self.rate)


class RateLimit:
    """See Limit. A batch is sent whole: over a rate that is small for it, it comes in lumps."""

    reason = "rate_limit"

    def __init__(self, config: RateLimitConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self.blocks = config.when_exceeded == "block"
        self._clock = clock
        self._events, self._bytes = (
            _Bucket(float(rate), max(1.0, float(rate) * config.burst), max(1.0, float(rate) * config.burst), clock())
            if rate
            else None
            for rate in (config.events_per_second, config.bytes_per_second)
        )

    def take(self, sizes: Sequence[int]) -> int:
        """See Limit."""
        self._fill()
        allowed = len(sizes) if self.blocks else self._allowed(sizes)
        if self._events:
            self._events.tokens -= allowed
        if self._bytes:
            self._bytes.tokens -= sum(sizes[:allowed])
        return allowed

    def wait(self) -> float:
        """See Limit."""
        self._fill()
        return max(bucket.wait() for bucket in (self._events, self._bytes) if bucket)

    def _fill(self) -> None:
        now = self._clock()
        for bucket in (self._events, self._bytes):
            if bucket:
                bucket.fill(now)

    def _allowed(self, sizes: Sequence[int]) -> int:
        count = min(len(sizes), max(0, int(self._events.tokens))) if self._events else len(sizes)
        return _fitting(sizes[:count], self._bytes.tokens) if self._bytes else count


class Quota:
    """See Limit. What was sent today is kept in file `path`, so that a restart does not start a new day."""

    reason = "quota"

    def __init__(
        self, config: QuotaConfig, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.blocks = config.when_exceeded == "block"
        self._now = now
        self._path = path
        self._most_events = config.events_per_day
        self._most_bytes = int(config.bytes_per_day) if config.bytes_per_day else None
        self._day, self._events, self._bytes = _kept(path)
        self._last = 0, 0

    def take(self, sizes: Sequence[int]) -> int:
        """See Limit."""
        self._turn()
        allowed = len(sizes) if self.blocks else self._allowed(sizes)
        self._last = allowed, sum(sizes[:allowed])
        self._events += self._last[0]
        self._bytes += self._last[1]
        self._save()
        return allowed

    def wait(self) -> float:
        """See Limit. What is over today's quota counts for tomorrow's."""
        self._turn()
        if not self._over():
            return 0.0
        now = self._now()
        tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (tomorrow - now).total_seconds()

    def _over(self) -> bool:
        return (self._most_events is not None and self._events > self._most_events) or (
            self._most_bytes is not None and self._bytes > self._most_bytes
        )

    def _turn(self) -> None:
        today = f"{self._now():%Y-%m-%d}"
        if today != self._day:
            # What waits over midnight was counted yesterday, and is sent today.
            self._events, self._bytes = self._last if self.blocks and self._over() else (0, 0)
            self._day = today

    def _allowed(self, sizes: Sequence[int]) -> int:
        count = len(sizes)
        if self._most_events is not None:
            count = min(count, max(0, self._most_events - self._events))
        return count if self._most_bytes is None else _fitting(sizes[:count], self._most_bytes - self._bytes)

    def _save(self) -> None:
        """Not synced: after a power cut an older number is good enough. A disk that takes nothing forgets it."""
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_text(json.dumps({"day": self._day, "events": self._events, "bytes": self._bytes}), "ascii")
            fresh.replace(self._path)
        except OSError as error:
            _log.warning("quota_not_saved", path=str(self._path), reason=str(error))


def _kept(path: Path) -> tuple[str, int, int]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text("ascii"))
        return str(kept["day"]), int(kept["events"]), int(kept["bytes"])
    return "", 0, 0


def _fitting(sizes: Sequence[int], room: float) -> int:
    """How many of the first fit."""
    for place, size in enumerate(sizes):
        room -= size
        if room < 0:
            return place
    return len(sizes)
