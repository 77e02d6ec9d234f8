"""Records: an event's text as its sender sent it, and what was said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from logintel.event import Json

#: Characters of a name that are kept.
_LONGEST: Final = 1000
_SCALARS: Final = (str, int, float, bool)


class Said(NamedTuple):
    """What a sender says about events; None: nothing. Formats and indexes are chosen by it, an identity is not."""

    host: str | None = None
    source: str | None = None
    sourcetype: str | None = None
    index_name: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Json]) -> Said:
        """From an envelope or a query string. Raises ValueError where a name is no text."""
        get = values.get
        return cls(_name(get("host")), _name(get("source")), _name(get("sourcetype")), _name(get("index")))


class Record(NamedTuple):
    """One event.

    raw    a text, or the JSON of whatever else was sent, as it was sent
    value  that, decoded
    stamp  timestamp (UTC, 27 characters); None: not said
    fields indexed fields, flat
    """

    raw: str
    value: Json
    stamp: str | None
    said: Said
    fields: Mapping[str, Json]


def _name(value: Json) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, _SCALARS):
        return str(value)
    raise ValueError(f"expected a text, got {type(value).__name__}")


def flat(fields: Json) -> Mapping[str, Json]:
    """Indexed fields, if each is a single value or a list of such. Raises ValueError."""
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise ValueError(f"expected an object, got {type(fields).__name__}")
    for value in fields.values():
        for item in value if isinstance(value, list) else (value,):
            if item is not None and not isinstance(item, _SCALARS):
                raise ValueError("expected single values")
    return fields
