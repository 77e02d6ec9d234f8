"""Tests of single values: whether one value of a document, or one term of its text, satisfies a leaf."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from logintel.event import Json
from logintel_collector.query import addresses, numerals
from logintel_collector.query.analysis import fold, lower
from logintel_collector.query.dates import Moment, stamped
from logintel_collector.query.glob import glob_test
from logintel_collector.query.mapping import Field
from logintel_collector.query.nearness import near
from logintel_collector.query.reading import text_of
from logintel_collector.query.scalars import utf16
from logintel_collector.query.tree import (
    AddressIn,
    Between,
    DateIn,
    Exists,
    Flag,
    Fuzzy,
    Leaf,
    Like,
    NumberIn,
    OneOf,
    Regexp,
)

Test: TypeAlias = Callable[[Json], bool]
#: Below it, every float type has the whole numbers as they are.
_SMALL: Final = 1 << 24


def value_test(leaf: Leaf) -> Test:
    """Whether one value of a field that is not analysed satisfies the leaf."""
    if isinstance(leaf, NumberIn):
        return _number_test(leaf)
    if isinstance(leaf, DateIn):
        return _date_test(leaf)
    if isinstance(leaf, Flag):
        given, boolean = leaf.value, leaf.field
        return lambda value: _flag(value, strict=boolean.strict) is given
    if isinstance(leaf, AddressIn):
        return _address_test(leaf)
    if isinstance(leaf, Exists):
        return indexed(leaf.field)
    return _keyword_test(leaf.field, text_test(leaf))


def text_test(leaf: Leaf) -> Callable[[str], bool]:
    """Whether one text (a keyword value or a term) satisfies the leaf."""
    if isinstance(leaf, OneOf):
        values = leaf.values
        return (lambda text: fold(text) in values) if leaf.fold else values.__contains__
    if isinstance(leaf, Like):
        fits = glob_test(leaf.parts)
        return (lambda text: fits(fold(text))) if leaf.fold else fits
    if isinstance(leaf, Regexp):
        return leaf.matcher.fits
    if isinstance(leaf, Fuzzy):
        return near(leaf.text, leaf.edits, leaf.prefix, swaps=leaf.swaps)
    assert isinstance(leaf, Between)
    low, high, low_open, high_open = leaf.low, leaf.high, leaf.low_open, leaf.high_open

    def between(text: str) -> bool:
        if low is not None and (text < low or (low_open and text == low)):
            return False
        return not (high is not None and (text > high or (high_open and text == high)))

    return between


def _keyword_test(field: Field, fits: Callable[[str], bool]) -> Test:
    limit, strict, lowercase = field.ignore_above, field.strict, field.lowercase

    def test(value: Json) -> bool:
        if value.__class__ is str:
            text: str = value
        else:
            found = None if strict else text_of(value)
            if found is None:
                return False
            text = found
        if limit is not None and len(text) * 2 > limit and utf16(text) > limit:
            return False
        return fits(lower(text) if lowercase else text)

    return test


def _number_test(leaf: NumberIn) -> Test:
    low, high, bits, strict = leaf.low, leaf.high, leaf.field.bits, leaf.field.strict
    read = numerals.whole if leaf.field.kind == "whole" else numerals.real
    least, most = low if low is not None else -math.inf, high if high is not None else math.inf
    small = min(1 << bits - 1, _SMALL) if leaf.field.kind == "whole" else _SMALL

    def test(value: Json) -> bool:
        if value.__class__ is int and 0 <= value < small:
            return least <= value <= most
        number = read(value, bits, strict=strict)
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    return test


def _date_test(leaf: DateIn) -> Test:
    low, high = leaf.low, leaf.high

    def test(value: Json) -> bool:
        when = _instant(value)
        if when is None:
            return False
        if low is not None and when < (low() if isinstance(low, Moment) else low):
            return False
        return high is None or when <= (high() if isinstance(high, Moment) else high)

    return test


def _address_test(leaf: AddressIn) -> Test:
    low, high = leaf.low, leaf.high

    def test(value: Json) -> bool:
        address = _address(value)
        return address is not None and low <= address <= high

    return test


def _address(value: Json) -> int | None:
    """A document's IP address; None when it is none."""
    try:
        return addresses.number(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _instant(value: Json) -> int | None:
    """A document's date in milliseconds; None when it is none."""
    text = None if isinstance(value, bool) else text_of(value)
    try:
        return None if text is None else stamped(text)
    except ValueError:
        return None


def _flag(value: Json, *, strict: bool) -> bool | None:
    """A document's boolean; the empty string is false."""
    if isinstance(value, bool):
        return value
    if strict or not isinstance(value, str):
        return None
    return {"true": True, "false": False, "": False}.get(value)


def indexed(field: Field) -> Test:
    """Whether a value of the field is in the index at all."""
    if field.kind == "keyword":
        return _keyword_test(field, lambda _text: True)
    if field.kind == "whole":
        return lambda value: numerals.whole(value, field.bits, strict=field.strict) is not None
    if field.kind == "float":
        return lambda value: numerals.real(value, field.bits, strict=field.strict) is not None
    if field.kind == "boolean":
        return lambda value: _flag(value, strict=field.strict) is not None
    if field.kind == "date":
        return lambda value: _instant(value) is not None
    if field.kind == "ip":
        return lambda value: _address(value) is not None
    if field.kind == "text":
        return lambda value: isinstance(value, str) or (not field.strict and text_of(value) is not None)
    return lambda value: value is not None
