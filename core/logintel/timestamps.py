"""Timestamps: every common stamp, as text or number, to one form: UTC `YYYY-MM-DDTHH:MM:SS.ffffffZ`, cut to µs.

Formats call `clock(reading)` once per batch and `Clock.text` or `Clock.number` per record. Nothing here raises: what
is no stamp, or no date that exists, is None.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import count
from typing import Final

from logintel.formats import Reading

_MONTHS: Final = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)  # noqa: SIM905
}
#: Hours east of UTC of the zone names that mean one thing in logs; any other name is read as the reading's zone.
_ZONES: Final = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2,
    "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "JST": 9, "KST": 9, "SGT": 8, "HKT": 8, "IST": 5.5,
    "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3, "ART": -3,
}  # fmt: skip
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_WEEKDAY: Final = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? {1,2})?"
_FRACTION: Final = r"(?:[.,:](?P<f>[0-9]{1,9}))?"
_NAME: Final = "|".join(sorted((zone for zone in _ZONES if len(zone) > 1), key=len, reverse=True))
_ZONE: Final = (
    rf"(?: ?(?P<z>Z\b|(?:UTC|GMT)?[+-][0-9]{{2}}:?[0-9]{{2}}(?![0-9])|[+-][0-9]{{2}}(?![0-9:-])|(?:{_NAME})\b))?"
)
_CLOCK: Final = r"(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2}):(?P<S>[0-9]{2})" + _FRACTION
_AMPM: Final = "(?: ?(?P<p>[AaPp][Mm]))?"
#: Each common layout; the first that matches is taken.
#: Groups: y year, b month's name, m month, d day, H M S f clock and fraction, p AM or PM, z zone.
_LAYOUTS: Final = (
    # ISO 8601, RFC 3339 and relatives: 2026-11-22T10:00:00.123Z, 2026/11/22 10:00:00,123 +0100
    r"(?P<y>[0-9]{4})(?P<_s>[-/.])(?P<m>[0-9]{1,2})(?P=_s)(?P<d>[0-9]{1,2})(?:T|_| - | {1,2}|, )" + _CLOCK + _ZONE,
    # RFC 3164, ctime, log4j: Nov 22 10:00:00, Sun Nov 22 10:00:00.123 UTC 2026, Nov 22, 2026 10:00:00 AM
    (
        rf"{_WEEKDAY}(?P<b>{_MONTH})[ -]{{1,2}}(?P<d>[0-9]{{1,2}})(?:,? (?P<y>[0-9]{{4}}),?)? {_CLOCK}{_AMPM}{_ZONE}"
        rf"(?: (?P<y2>[0-9]{{4}}))?(?![0-9:])"
    ),
    # CLF, RFC 2822, log4j: 22/Nov/2026:10:00:00 +0100, Sun, 22 Nov 2026 10:00:00 GMT, 22 Nov 10:00:00.123
    (
        rf"{_WEEKDAY}(?P<d>[0-9]{{1,2}})(?P<_s>[ /-])(?P<b>{_MONTH})(?:(?P=_s)(?P<y>[0-9]{{4}}|[0-9]{{2}}(?=[ :])))?"
        rf"(?::| |::){_CLOCK}{_AMPM}{_ZONE}"
    ),
    # US: 11/22/2026 10:00:00 PM, 11/22/26 10:00:00:123 GMT; and yy/MM/dd where only that can be meant
    (
        rf"(?P<a>[0-9]{{1,2}})(?P<_s>[/-])(?P<d>[0-9]{{1,2}})(?P=_s)(?P<y>[0-9]{{4}}|[0-9]{{2}})(?::|,?"
        rf" |T){_CLOCK}{_AMPM}{_ZONE}"
    ),
    # compact: 20261122 100000, 20261122T100000.123Z, 20261122-10:00:00:123, 261122 10:00:00, 261122 100000
    (
        rf"(?P<y>[0-9]{{4}}|[0-9]{{2}})(?P<m>[0-9]{{2}})(?P<d>[0-9]{{2}})(?:T|-| {{1,2}})(?P<H>[0-9]{{2}}|[0-9]"
        rf"(?=:))(?P<_s>:?)(?P<M>[0-9]{{2}})(?P=_s)(?P<S>[0-9]{{2}}){_FRACTION}{_ZONE}"
    ),
    # without a year: 11-22 10:00:00.123 (logcat), 1122 10:00:00.123456 (klog)
    rf"(?P<m>[0-9]{{2}})-?(?P<d>[0-9]{{2}}) {_CLOCK}",
    # ISO without seconds
    r"(?P<y>[0-9]{4})(?P<_s>-)(?P<m>[0-9]{2})-(?P<d>[0-9]{2})[T ](?P<H>[0-9]{2}):(?P<M>[0-9]{2})(?![0-9:])" + _ZONE,
)
_DATE: Final = (
    r"(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/ ]"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[-/ ][0-9]{2,4}"
    rf"|[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{2,4}}|{_WEEKDAY}{_MONTH}[ -][ 0-9]?[0-9](?:,?"
    rf" [0-9]{{4}},?)?|[0-9]{{8}}|[0-9]{{6}}|[0-9]{{2}}-[0-9]{{2}})"
)
#: A stamp inside a larger pattern, without groups: linear, checked by `Clock.text` afterwards.
STAMP: Final = (
    rf"{_DATE}(?:T|_| - |[ :]{{1,2}}|, |-)[0-9]{{1,2}}:?[0-9]{{2}}:?[0-9]{{2}}(?:[.,:][0-9]{{1,9}})?(?: ?[AaPp][Mm]\b)?"
    rf"(?: ?(?:Z\b|(?:UTC|GMT)?[+-][0-9]{{2}}:?[0-9]{{2}}(?![0-9])|[+-][0-9]{{2}}(?![0-9:-])|(?:{_NAME})\b))?(?:"
    rf" [12][0-9]{{3}}(?=[ \])]))?"
)
_COMPILED: Final = tuple(re.compile(layout, re.IGNORECASE if "?P<b>" in layout else 0) for layout in _LAYOUTS)
#: Before a fraction, where a stamp has one.
_POINTS: Final = (".", ",")
#: What a fraction of so many digits lacks.
_ZEROS: Final = ("000000", "00000", "0000", "000", "00", "0", "")
_EPOCH: Final = re.compile(r"([0-9]{10})([0-9]{0,9})(?:[.,]([0-9]{1,9})0*)?")
#: Stamps that are remembered per zone and reference; the memory is emptied when it is full.
_REMEMBERED: Final = 20_000
_DAY: Final = timedelta(days=1)
_EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Numbers below this many seconds (1990) or above this (2100) are no stamps.
_FIRST_EPOCH, _LAST_EPOCH = 631_152_000, 4_102_444_800


class Clock:
    """Reads stamps in the light of one `Reading`; remembers what it has read."""

    def __init__(self, reading: Reading) -> None:
        self._zone = reading.zone
        self._latest = reading.reference.astimezone(UTC) + _DAY
        self._texts: dict[str, str | None] = {}
        self._seconds: dict[str, str | None] = {}

    def text(self, text: str) -> str | None:
        """The stamp that `text` is, whole."""
        known = self._texts.get(text, "")
        if known != "":
            return known
        if text[19:20] in _POINTS:  # the commonest stamp with a fraction: its second is looked up
            utc = text[-1] == "Z"
            fraction = text[20:-1] if utc else text[20:]
            start = self._seconds.get(f"{text[:19]}Z" if utc else text[:19])
            if start and len(fraction) <= 6 and fraction.isdecimal() and fraction.isascii():
                return f"{start}{fraction}{_ZEROS[len(fraction)]}Z"
        found = self._read(text)
        stamp = found[0] if found and found[1] == len(text) else None
        if len(self._texts) >= _REMEMBERED:
            self._texts.clear()
        self._texts[text] = stamp
        return stamp

    def parts(self, second: str, fraction: str) -> str | None:
        """The stamp that is `second`, a point and `fraction` (1 to 6 digits), for patterns that tell them apart."""
        if start := self._seconds.get(second):
            return f"{start}{fraction}{_ZEROS[len(fraction)]}Z"
        return self.text(f"{second}.{fraction}")

    def at(self, text: str, start: int = 0) -> tuple[str, int] | None:
        """(stamp, end) of the stamp that begins at `start`; epochs do not count."""
        for layout in _COMPILED:
            if match := layout.match(text, start):
                stamp = self._stamp(match)
                return (stamp, match.end()) if stamp else None
        return None

    def number(self, value: float) -> str | None:
        """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size."""
        if isinstance(value, int):
            return self.text(str(value))
        return self.text(f"{value:.6f}") if _FIRST_EPOCH <= value < _LAST_EPOCH * 1e9 else None

    def _read(self, text: str) -> tuple[str, int] | None:
        found = self.at(text)
        if found is not None:
            return found
        epoch = _EPOCH.fullmatch(text)
        return (stamp, len(text)) if epoch and (stamp := _of_epoch(epoch)) else None

    def _stamp(self, match: re.Match[str]) -> str | None:
        """The fraction goes on as text; the rest of the stamp, its second, is worked out once."""
        start, end = match.span("f") if "f" in match.re.groupindex else (-1, -1)  # a layout may end with minutes
        if start < 0:
            key, fraction = match.group(), ""
        else:
            text, fraction = match.string, match.string[start:end][:6]
            key = f"{text[match.start() : start - 1]}{text[end : match.end()]}"
        try:
            second = self._seconds[key]
        except KeyError:
            if len(self._seconds) >= _REMEMBERED:
                self._seconds.clear()
            second = self._seconds[key] = self._second(match.groupdict())
        return f"{second}{fraction:0<6}Z" if second else None

    def _second(self, part: dict[str, str | None]) -> str | None:
        """`YYYY-MM-DDTHH:MM:SS.` in UTC, or None where there is no such moment."""
        try:
            moment = self._moment(part)
        except (ValueError, OverflowError):
            return None
        return f"{moment.isoformat()[:19]}." if moment else None

    def _moment(self, part: dict[str, str | None]) -> datetime | None:
        day = int(part["d"] or 0)
        year = part.get("y") or part.get("y2")
        if (name := part.get("b")) is not None:
            month = _MONTHS[name.lower()]
        elif (first := part.get("a")) is not None:
            month = int(first)
            if month > 12 and year is not None and len(year) == 2:
                month, day, year = day, int(year), first
        else:
            month = int(part["m"] or 0)
        hour, minute, second = int(part["H"] or 0), int(part["M"] or 0), int(part["S"] or 0) if "S" in part else 0
        if half := part.get("p"):
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if half in "PMpmPm" and half[0] in "Pp" else 0)
        leap = timedelta(seconds=1) if second == 60 else timedelta()
        second = min(second, 59) if second <= 60 else second
        zone = self._zone_of(part.get("z"))
        if year is not None:
            full = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900)
            return datetime(full, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC) + leap
        return self._yearless(month, day, hour, minute, second, zone, leap)

    def _yearless(  # noqa: PLR0917 - the parts of one moment
        self, month: int, day: int, hour: int, minute: int, second: int, zone: tzinfo, leap: timedelta
    ) -> datetime | None:
        """In the latest year that does not put it more than a day after the reference; 29 February in a leap year."""
        if not 1 <= month <= 12 or not 1 <= day <= 31:
            return None
        for year in count(self._latest.year + 1, -1):
            if year < max(1, self._latest.year - 8):
                return None
            try:
                moment = datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC) + leap
            except ValueError:
                continue
            if moment <= self._latest:
                return moment
        return None

    def _zone_of(self, name: str | None) -> tzinfo:
        """The zone of an offset or a name. Clocks that go back: the first of the two; that jump: as before the jump."""
        if not name:
            return self._zone
        hours = _ZONES.get(name)
        if hours is not None:
            return timezone(timedelta(hours=hours))
        digits = name.lstrip("UTCGM").replace(":", "")
        if digits[:1] not in ("+", "-"):
            return self._zone
        offset = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5] or 0))
        return timezone(-offset if digits[0] == "-" else offset)


def clock(reading: Reading) -> Clock:
    """The clock for a batch; readings that are equal share one, and so what it remembers."""
    return _clock(reading)


@lru_cache(maxsize=32)
def _clock(reading: Reading) -> Clock:
    return Clock(reading)


def _of_epoch(match: re.Match[str]) -> str | None:
    """10 digits are seconds, 13 ms, 16 µs, 19 ns; a fraction is of whatever the unit is, and only kept for seconds."""
    seconds, more, fraction = match.groups()
    if len(more) not in (0, 3, 6, 9) or not _FIRST_EPOCH <= int(seconds) < _LAST_EPOCH:
        return None
    micro = f"{more}{fraction or ''}"[:6]
    return f"{_EPOCH_START + timedelta(seconds=int(seconds)):%Y-%m-%dT%H:%M:%S}.{micro:0<6}Z"
