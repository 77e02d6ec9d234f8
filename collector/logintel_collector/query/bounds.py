"""Bounds: the ends of a range as a query gives them, and as each type of field understands them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from logintel.event import Json
from logintel_collector.query import numerals
from logintel_collector.query.dates import Moment, bound
from logintel_collector.query.mapping import Field
from logintel_collector.query.scalars import required_text

_MILLIS: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a range as given; None: open. `zone` is for dates that name none."""

    low: Json = None
    high: Json = None
    low_open: bool = False
    high_open: bool = False
    zone: tzinfo = UTC


def instants(limits: Limits, now: Callable[[], datetime]) -> tuple[int | Moment | None, int | Moment | None]:
    """The ends of a date range, both included."""
    if any(isinstance(limit, int | float) for limit in (limits.low, limits.high)):
        _check_millis(limits)
    low = high = None
    if limits.low is not None:
        text = required_text(limits.low)
        low = bound(text, limits.zone, now, up=limits.low_open, shift=int(limits.low_open))
    if limits.high is not None:
        text = required_text(limits.high)
        high = bound(text, limits.zone, now, up=not limits.high_open, shift=-int(limits.high_open))
    return low, high


def numbers(field: Field, limits: Limits) -> tuple[float | None, float | None]:
    """The ends of a number range, both included. Raises ValueError."""
    ends: list[float | None] = []
    for value, is_open, low in ((limits.low, limits.low_open, True), (limits.high, limits.high_open, False)):
        if value is None:
            ends.append(None)
            continue
        exact = numerals.decimal(value)
        if field.kind == "whole":
            ends.append(numerals.whole_bound(exact, field.bits, low=low, inclusive=not is_open))
            continue
        number = numerals.as_float(exact, field.bits)
        if number is None:
            raise ValueError(f"{value!r} is out of range for {field.type_name}")
        ends.append(numerals.beside(number, field.bits, up=low) if is_open else number)
    return ends[0], ends[1]


def _check_millis(limits: Limits) -> None:
    """One bound that is a number makes Elasticsearch read both as such. Raises ValueError."""
    for limit in (limits.low, limits.high):
        if limit is not None and not _MILLIS.fullmatch(required_text(limit)):
            raise ValueError(f"{limit!r} is no number of milliseconds, as the other bound is")
