"""Epochs: the `time` of an event, a number or a text, to the timestamp of the event schema."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from logintel.event import Json

#: Digits of nanoseconds.
_LONGEST: Final = 19
#: Below the first a whole number means seconds, below the second milliseconds, else nanoseconds; no clock is that late.
#: The bounds are Vector's (sources/splunk_hec).
_SECONDS_BELOW: Final = 13_569_465_600
_MILLISECONDS_BELOW: Final = 253_402_300_800_000


def stamp_of(value: Json) -> str | None:
    """UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`, cut to µs. Raises ValueError for what is no time; None is none."""
    if value is None:
        return None
    whole, _, fraction = (value.strip() if isinstance(value, str) else repr(value)).partition(".")
    digits = whole + fraction
    if not (whole and digits.isdecimal() and digits.isascii() and len(whole) <= _LONGEST):
        raise ValueError(f"expected seconds since 1970, got {type(value).__name__}")
    seconds = int(whole)
    if seconds >= _SECONDS_BELOW:
        places = 3 if seconds < _MILLISECONDS_BELOW else 9
        seconds, fraction = int(whole[:-places]), whole[-places:] + fraction
    return f"{_second(seconds)}.{fraction[:6]:0<6}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Raises ValueError past the year 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError as error:
        raise ValueError(str(error)) from error
