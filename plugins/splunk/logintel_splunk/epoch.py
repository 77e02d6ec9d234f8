"""Epochs: the `time` of an event, a number or a text, to the timestamp of the event schema."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from logintel.event import Json

_NUMBER: Final = re.compile(r"\s*([0-9]{1,19})(?:\.([0-9]{0,30}))?\s*")
#: Below the first a whole number means seconds, below the second milliseconds, else nanoseconds; no clock is that late.
#: The bounds are Vector's (sources/splunk_hec).
_SECONDS_BELOW: Final = 13_569_465_600
_MILLISECONDS_BELOW: Final = 253_402_300_800_000


def stamp_of(value: Json) -> str | None:
    """UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`, cut to µs. Raises ValueError for what is no time; None is none."""
    if value is None:
        return None
    match = _NUMBER.fullmatch(value if isinstance(value, str) else repr(value))
    if match is None:
        raise ValueError(f"expected seconds since 1970, got {type(value).__name__}")
    whole, fraction = match.groups(default="")
    seconds = int(whole)
    if seconds >= _SECONDS_BELOW:
        digits = 3 if seconds < _MILLISECONDS_BELOW else 9
        whole, fraction = whole[:-digits], whole[-digits:] + fraction
        seconds = int(whole)
    return f"{_second(seconds)}.{fraction[:6]:0<6}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Raises ValueError past the year 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError as error:
        raise ValueError(str(error)) from error
