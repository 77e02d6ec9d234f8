"""Dates of queries and documents: strict_date_optional_time||epoch_millis, and date math (`now-1h/d`, `2026-11||/M`).

All results are milliseconds since 1970 (UTC); finer digits are cut, as in an Elasticsearch date field.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?"
    r"(?:T(?:([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.ASCII,
)
_MILLIS: Final = re.compile(r"(-?[0-9]{1,18})(?:\.[0-9]+)?", re.ASCII)
_MATH: Final = re.compile(r"([+-])([0-9]{0,9})([yMwdhHms])|/([yMwdhHms])", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])([0-9]{1,2})(?::?([0-9]{2}))?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS: Final = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "H": timedelta(hours=1),
                 "m": timedelta(minutes=1), "s": timedelta(seconds=1)}  # fmt: skip
_MILLI: Final = timedelta(milliseconds=1)


#: Units in order, each with how many to add; None: round to it.
Steps: TypeAlias = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A bound of a date range that follows the clock."""

    steps: Steps
    up: bool
    zone: tzinfo
    shift: int
    now: Callable[[], datetime]

    def __call__(self) -> int:
        """The bound, inclusive, at this moment. Milliseconds."""
        return _moved(self.now(), self.steps, self.zone, up=self.up) + self.shift


def bound(text: str, zone: tzinfo, now: Callable[[], datetime], *, up: bool, shift: int) -> int | Moment:
    """A range's bound in milliseconds, `shift` added: `up` fills what is left out with its end, else with its start.

    Raises ValueError for what Elasticsearch refuses.
    """
    if text.startswith("now"):
        moment = Moment(_steps(text[3:]), up, zone, shift, now)
        moment()
        return moment
    if "||" not in text:
        return instant(text, zone, up=up) + shift
    base, math = text.split("||", 1)
    start = _EPOCH + timedelta(milliseconds=instant(base, zone))
    return _moved(start, _steps(math), zone, up=up) + shift


def stamped(text: str) -> int:
    """Milliseconds of a document's date, quickly for our own form. Raises ValueError when it is none."""
    if len(text) == 27 and text[10] == "T" and text[19] == "." and text[26] == "Z":
        return (datetime.fromisoformat(text) - _EPOCH) // _MILLI
    return instant(text)


def instant(text: str, zone: tzinfo = UTC, *, up: bool = False) -> int:
    """Milliseconds of a date in full or in part. Raises ValueError when it is none."""
    match = _DATE.fullmatch(text)
    if match is None:
        millis = _MILLIS.fullmatch(text)
        if millis is None:
            raise ValueError(f"{text!r} is not a date: expected strict_date_optional_time or epoch_millis")
        return int(millis[1])
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    filled = ("23", "59", "59", "999") if up else ("0", "0", "0", "0")
    local = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or filled[0]),
        int(minute or filled[1]),
        int(second or filled[2]),
        tzinfo=zone_of(offset) if offset else zone,
    )
    return _millis(local) + int((fraction or filled[3]).ljust(3, "0")[:3])


def zone_of(text: str) -> tzinfo:
    """An offset (`+02:00`, `Z`) or a zone's name. Raises ValueError."""
    match = _OFFSET.fullmatch(text)
    if match is not None:
        ahead = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(ahead if match[1] == "+" else -ahead)
    try:
        return UTC if text in ("Z", "UTC") else ZoneInfo(text)
    except (OSError, LookupError, ValueError):
        raise ValueError(f"unknown time zone {text!r}") from None


def _millis(when: datetime) -> int:
    return (when - _EPOCH) // _MILLI


def _steps(math: str) -> Steps:
    """`+1d-2h/M` as its steps. Raises ValueError."""
    found: list[tuple[str, int | None]] = []
    place = 0
    while place < len(math):
        step = _MATH.match(math, place)
        if step is None:
            raise ValueError(f"unknown date math {math!r}: expected steps such as +1d, -2h, /M")
        sign, count, unit, rounded = step.groups()
        found.append((rounded, None) if rounded else (unit, int(sign + (count or "1"))))
        place = step.end()
    return tuple(found)


def _moved(when: datetime, steps: Steps, zone: tzinfo, *, up: bool) -> int:
    """`when` after the steps, in milliseconds. Raises ValueError."""
    when = when.astimezone(zone)
    try:
        for unit, count in steps:
            when = _rounded(when, unit, up=up) if count is None else _added(when, unit, count)
    except OverflowError:
        raise ValueError("date math leaves the years 1 to 9999") from None
    return _millis(when)


def _added(when: datetime, unit: str, count: int) -> datetime:
    """Calendar steps keep the local clock; hours and shorter are exact."""
    if unit in "yM":
        months = when.year * 12 + when.month - 1 + count * (12 if unit == "y" else 1)
        year, month = divmod(months, 12)
        if not 1 <= year <= 9999:
            raise OverflowError
        return when.replace(year=year, month=month + 1, day=min(when.day, monthrange(year, month + 1)[1]))
    if unit in "wd":
        return when + _STEPS[unit] * count
    return (when.astimezone(UTC) + _STEPS[unit] * count).astimezone(when.tzinfo)


def _rounded(when: datetime, unit: str, *, up: bool) -> datetime:
    """Down to the start of the unit, or `up` to its last millisecond. Weeks begin on Monday."""
    start = when.replace(microsecond=0)
    if unit in "yMwdhHm":
        start = start.replace(second=0)
    if unit in "yMwdhH":
        start = start.replace(minute=0)
    if unit in "yMwd":
        start = start.replace(hour=0)
    if unit == "w":
        start -= timedelta(days=start.weekday())
    if unit in "yM":
        start = start.replace(day=1)
    if unit == "y":
        start = start.replace(month=1)
    return _added(start, unit, 1) - _MILLI if up else start
