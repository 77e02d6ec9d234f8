"""The values that are told apart: so many of a dimension each day, the first that are seen; the others are `_other`.

A value keeps its place for the whole day, and one that came too late never gets one: a minute that is computed again
has the same series as before, and nothing is counted under two names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
import structlog

from logintel_collector.analytics.point import NONE, OTHER, day_of

#: Characters of a value; a longer one is `_other`.
LONGEST = 128
_PREFIX = "values/"
_log = structlog.get_logger(__name__)


class Values:
    """`most`: how many of each dimension and day. `overflowed`: how often something became `_other`."""

    def __init__(self, most: int, known: Mapping[str, bytes]) -> None:
        """`known`: what `changes` gave before, by key; other keys are not looked at."""
        self.overflowed = 0
        self._most = most
        self._known = {key: set(orjson.loads(body)) for key, body in known.items() if key.startswith(_PREFIX)}
        self._changed: set[str] = set()

    def named(self, start: int, dimension: str, value: str | None) -> str:
        """What a value is called in the series of the day of `start`, seconds since 1970."""
        if not value:
            return NONE
        key = f"{_PREFIX}{day_of(start)}/{dimension}"
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = set()
        if value in known:
            return value
        if len(known) < self._most and len(value) <= LONGEST:
            known.add(value)
            self._changed.add(key)
            if len(known) == self._most:
                _log.warning("dimension_full", dimension=dimension, day=day_of(start), values=self._most)
            return value
        self.overflowed += 1
        return OTHER

    def changes(self) -> dict[str, bytes | None]:
        """What is to be kept of what is new since the last call."""
        changed, self._changed = self._changed, set()
        return {key: orjson.dumps(sorted(self._known[key])) for key in changed}

    def forget(self, is_kept: Callable[[str], bool]) -> dict[str, bytes | None]:
        """Forget the days, `YYYY.MM.DD`, that no event is kept of; the keys that go."""
        gone = [key for key in self._known if not is_kept(key.split("/")[1])]
        for key in gone:
            del self._known[key]
        return dict.fromkeys(gone)
