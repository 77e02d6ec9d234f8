"""Scalars: a single value of a query, as Elasticsearch reads it."""

from __future__ import annotations

from logintel.event import Json
from logintel_collector.query.reading import text_of


def required_text(value: Json) -> str:
    """A scalar of a query as text. Raises ValueError for null, arrays and objects."""
    text = text_of(value)
    if text is None:
        raise ValueError("expected a string, number or boolean")
    return text


def truth(value: Json) -> bool:
    """A boolean of a query: true, false, "true" or "false"; anything else is refused."""
    text = required_text(value)
    if text not in ("true", "false"):
        raise ValueError(f"{value!r} is not a boolean: expected true or false")
    return text == "true"


def utf16(text: str) -> int:
    """Length in UTF-16 units, in which ignore_above counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
