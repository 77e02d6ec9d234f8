"""Java's times: Date.toString, whose zone is a name, and milliseconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from logintel.formats import Reading
from logintel.timestamps import Clock

_DATE: Final = re.compile(r"([A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8}) ([A-Z]{2,5}) ([0-9]{4})")


def java_stamp(text: str, reading: Reading, instant: Clock) -> str | None:
    """The stamp. The name of a zone is one of the server's two (standard and summer time): where the reading's zone
    has it, that zone decides which of them the day is in."""
    date = _DATE.fullmatch(text)
    if date is not None and date[2] in _names(reading, int(date[3])):
        return instant.text(f"{date[1]} {date[3]}")
    return instant.text(text)


def _names(reading: Reading, year: int) -> set[str | None]:
    if not 1 <= year <= 9999:
        return set()
    return {datetime(year, month, 1, tzinfo=reading.zone).tzname() for month in (1, 7)}
