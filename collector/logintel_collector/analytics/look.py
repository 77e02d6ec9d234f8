"""The look: which minutes and hours are to be computed, now that they are over or got events since the last look.

A bucket is always computed whole, from the events that are there: what is computed twice is only written twice. A look
remembers how far it has seen when everything before is saved, so one that is cut off is done again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from logintel_collector.analytics.point import PERIODS, Period, Point, day_of
from logintel_collector.analytics.rollup import Rollup, Row
from logintel_collector.analytics.state import State

#: Seconds after its end at which a bucket is computed for the first time: most of its events are there by then.
CLOSE_AFTER: Final[dict[Period, int]] = {"minute": 30, "hour": 300}
#: Documents of one place that one look takes; buckets that a store counts at once, and days that they are of; points
#: that are saved at once.
SLICE: Final = 500_000
CHUNK: Final = 120
DAYS: Final = 20
SAVED: Final = 500


#: Seconds between looks: the least, the most where nothing was to be computed, and the most; between them so many times
#: what the last one took. Events that come late make a store count their minutes again: that gets a small share of its
#: time, however many they are.
REST: Final = (1.0, 5.0, 60.0)
SHARE: Final = 20


class Place(NamedTuple):
    """Where documents are numbered as they come: `end` is the last that can be seen. `where`: for the store alone."""

    name: str
    where: str
    end: int


class Events(Protocol):
    """A store of events, as the analyst reads it. Raises its own errors; whatever was begun can be begun again."""

    async def places(self) -> Sequence[Place]:
        """All that there are now; every document up to `end` can be seen from now on."""

    async def touched(self, place: Place, after: int, upto: int) -> set[int]:
        """The minutes (seconds since 1970) that its documents after `after` up to `upto` belong to."""

    def rows(self, period: Period, starts: Sequence[int]) -> AsyncIterator[list[Row]]:
        """All events of the buckets that begin at `starts` (rising), counted."""

    def keeps(self, day: str) -> bool:
        """Whether events of the day `YYYY.MM.DD` may be there, as of the last `places`."""


class Sink(Protocol):
    """Where points and state go."""

    async def save(self, points: Sequence[Point], changes: Mapping[bytes, bytes | None], version: int) -> None:
        """All or nothing. Of two points of a bucket and series the one of the higher version holds."""


@dataclass(slots=True)
class Looked:
    """What a look did: buckets computed, points saved, documents that are left for the next one."""

    buckets: int = 0
    points: int = 0
    left: int = 0

    def rest(self, took: float) -> float:
        """Seconds until the next one, after one that took so many."""
        least, idle, most = REST
        return 0.0 if self.left else min(max(least, SHARE * took), most if self.buckets else idle)


class Analyst:
    """The only one that looks at these events and writes to this sink. After an error make another."""

    def __init__(self, events: Events, sink: Sink, state: State, clock: Callable[[], datetime]) -> None:
        self._events, self._sink, self.state, self._clock = events, sink, state, clock

    async def look(self) -> Looked:
        """Compute what is due, and save it."""
        now, looked = self._clock().timestamp(), Looked()
        places = await self._events.places()
        closed: dict[Period, int] = {
            period: max(int(now - CLOSE_AFTER[period]) // seconds * seconds, self.state.closed.get(period, 0))
            for period, seconds in PERIODS.items()
        }
        reached = self._reached(places)
        touched = await self._touched(places, reached)
        self.state.begin(int(now * 1000))
        for period in PERIODS:
            for starts in self._due(period, touched, closed[period]):
                looked.buckets += len(starts)
                looked.points += await self._compute(period, starts)
        await self._remember(places, reached, closed)
        looked.left = sum(place.end - reached[place.name] for place in places)
        return looked

    def _reached(self, places: Sequence[Place]) -> dict[str, int]:
        """How far this look takes each place."""
        known = self.state.positions
        return {place.name: min(place.end, known.get(place.name, -1) + SLICE) for place in places}

    async def _touched(self, places: Sequence[Place], reached: Mapping[str, int]) -> set[int]:
        """The minutes of all that is new."""
        minutes: set[int] = set()
        for place in places:
            after = self.state.positions.get(place.name, -1)
            if reached[place.name] > after:
                minutes |= await self._events.touched(place, after, reached[place.name])
        return minutes

    def _due(self, period: Period, minutes: set[int], closed: int) -> Iterator[list[int]]:
        """Buckets that are over: those that got events, and those whose time came; in portions."""
        seconds = PERIODS[period]
        starts = {minute - minute % seconds for minute in minutes}
        starts.update(range(self.state.closed.get(period, closed), closed, seconds))
        portion: list[int] = []
        days: set[str] = set()
        for start in sorted(start for start in starts if start < closed):
            day = day_of(start)
            if not self._events.keeps(day):
                continue
            if len(portion) == CHUNK or (day not in days and len(days) == DAYS):
                yield portion
                portion, days = [], set()
            portion.append(start)
            days.add(day)
        if portion:
            yield portion

    async def _compute(self, period: Period, starts: list[int]) -> int:
        rollup, saved = Rollup(period, self.state.values), 0
        points: list[Point] = []
        async for rows in self._events.rows(period, starts):
            points += rollup.add(rows)
            if len(points) >= SAVED:
                saved += await self._save(points)
                points = []
        points += rollup.finish()
        return saved + await self._save(points)

    async def _save(self, points: list[Point]) -> int:
        if points:
            await self._sink.save(points, self.state.points_saved(), self.state.version)
        return len(points)

    async def _remember(
        self, places: Sequence[Place], reached: Mapping[str, int], closed: Mapping[Period, int]
    ) -> None:
        hour_ended = closed["hour"] != self.state.closed.get("hour")
        changes = self.state.look_ended(reached, closed, [place.name for place in places])
        if hour_ended:
            changes |= self.state.forget_days(self._events.keeps)
        if changes:
            await self._sink.save((), changes, self.state.version)
