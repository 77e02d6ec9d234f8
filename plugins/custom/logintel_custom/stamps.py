"""Stamps: reads timestamps by a layout of the user's own, in the directives of strptime (Python's datetime)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from logintel.formats import Reading

_YEAR: Final = re.compile(r"%[YyGCcDxF]")
_DATE: Final = re.compile(r"%[dejUWVcDxF]")
#: Stamps that are remembered; the memory is emptied when it is full.
_REMEMBERED: Final = 10_000
_DAY: Final = timedelta(days=1)


class Stamps:
    """Reads stamps of one layout in the light of one Reading."""

    def __init__(self, layout: str, reading: Reading) -> None:
        self._layout, self._reading = layout, reading
        self._has_year = _YEAR.search(layout) is not None
        self._known: dict[str, str | None] = {}

    def text(self, text: str) -> str | None:
        """UTC, 27 characters; None: not of the layout, or no date that exists."""
        if text not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = self._read(text)
        return self._known[text]

    def _read(self, text: str) -> str | None:
        latest = self._reading.reference + _DAY
        try:
            if self._has_year:
                return _utc(datetime.strptime(text, self._layout), self._reading)  # noqa: DTZ007 - zoned in _utc
            # A stamp without a year takes the latest that does not put it more than a day after the reference.
            for year in range(latest.year, latest.year - 5, -1):
                moment = _on(year, text, self._layout)
                if moment is not None and moment.replace(tzinfo=moment.tzinfo or self._reading.zone) <= latest:
                    return _utc(moment, self._reading)
        except (ValueError, OverflowError):
            pass
        return None


def check_layout(layout: str) -> None:
    """Raises ValueError when it is not one, or when it names no day."""
    if not _DATE.search(layout):
        raise ValueError(f"{layout!r} names no day; expected such as '%d.%m.%Y %H:%M:%S' (quote it)")
    moment = datetime(2026, 11, 22, 10, 11, 12, 131415, tzinfo=UTC)
    try:
        datetime.strptime(moment.strftime(layout), layout)  # noqa: DTZ007 - only whether it can be read
    except ValueError as error:
        raise ValueError(f"{layout!r} is not a layout: {error}; see strptime's directives, such as %Y-%m-%d") from None


def _on(year: int, text: str, layout: str) -> datetime | None:
    try:
        return datetime.strptime(f"{year} {text}", f"%Y {layout}")  # noqa: DTZ007 - zoned in _utc
    except ValueError:
        return None  # 29 February


def _utc(moment: datetime, reading: Reading) -> str:
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=reading.zone)
    return zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
