"""Numbers of queries and documents, with the rules of Elasticsearch's numeric fields."""

from __future__ import annotations

import math
import re
import struct
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Final

from logintel.event import Json

_NUMERAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?", re.ASCII)


def decimal(value: Json) -> Decimal:
    """The number in a JSON value, exactly. Raises ValueError when there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a number")
    text = value if isinstance(value, str) else repr(value)
    try:
        if _NUMERAL.fullmatch(text):
            return Decimal(text)
    except InvalidOperation:
        pass
    raise ValueError(f"{value!r} is not a number")


def whole(value: Json, bits: int, *, strict: bool = False) -> int | None:
    """A document's value as a whole number of `bits`, cut towards zero; None when it is none."""
    if value.__class__ is int:
        number: int = value
    elif strict or value.__class__ not in (str, float):
        return None
    else:
        try:
            exact = decimal(value)
        except ValueError:
            return None
        if exact.adjusted() > 20:
            return None
        number = int(exact)
    return number if fits(number, bits) else None


def real(value: Json, bits: int, *, strict: bool = False) -> float | None:
    """A document's value as a float of `bits`; None when it is none."""
    if value.__class__ in (int, float):
        return as_float(value, bits)
    if strict or value.__class__ is not str:
        return None
    try:
        return as_float(decimal(value), bits)
    except ValueError:
        return None


def as_float(value: float | Decimal, bits: int) -> float | None:
    """The nearest float of `bits`; None where it is not finite."""
    try:
        number = float(value)
        number = struct.unpack("<f", struct.pack("<f", number))[0] if bits == 32 else number
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def fits(number: int, bits: int) -> bool:
    """Whether a signed integer of `bits` holds the number."""
    return -(1 << bits - 1) <= number < 1 << bits - 1


def whole_bound(exact: Decimal, bits: int, *, low: bool, inclusive: bool) -> int:
    """A range's bound as the last whole number inside it. Raises ValueError when the field cannot hold it."""
    if exact.adjusted() > 20 or not fits(int(exact), bits):
        raise ValueError(f"{exact} is out of range for {bits} bits")
    number = int(exact.to_integral_value(ROUND_CEILING if low else ROUND_FLOOR))
    if not inclusive and number == exact:
        number += 1 if low else -1
    return number


def beside(number: float, bits: int, *, up: bool) -> float:
    """The next float of `bits`."""
    if bits == 64:
        return math.nextafter(number, math.inf if up else -math.inf)
    (code,) = struct.unpack("<i", struct.pack("<f", number or 0.0))
    away = up == (number >= 0)
    if number == 0:
        code = 1 if up else -(2**31) + 1
    else:
        code += 1 if away else -1
    (beside,) = struct.unpack("<f", struct.pack("<i", code))
    return float(beside)
