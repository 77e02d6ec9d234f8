"""The form of an event in the spool: a byte that names the form | JSON array of the fields, in the order of the class.

    1  as orjson writes it
    2  as json writes it: lone surrogates, and integers that orjson would read back as floats

Later writers of a form may append fields; a reader ignores those that it does not know.
"""

from __future__ import annotations

import json
from typing import Final

import orjson

from logintel.event import Event, Json

_PLAIN: Final = b"\x01"
_UNBOUNDED: Final = b"\x02"


def encode(event: Event) -> bytes:
    """The event exactly as it is."""
    fields = [
        event.raw,
        event.message,
        event.timestamp,
        event.level,
        event.fields,
        event.metadata,
        event.tags,
        event.format,
        event.origin,
    ]
    try:
        return _PLAIN + orjson.dumps(fields)
    except orjson.JSONEncodeError:
        return _UNBOUNDED + json.dumps(fields).encode()


def decode(payload: bytes) -> Event:
    """The event that `encode` was given. Raises ValueError when the payload is not one of ours."""
    form, body = payload[:1], payload[1:]
    if form not in (_PLAIN, _UNBOUNDED):
        raise ValueError(f"expected form 1 or 2, got {form!r}")
    fields = orjson.loads(body) if form == _PLAIN else json.loads(body)
    raw, message, timestamp, level, parsed, metadata, tags, name, *later = fields
    return Event(raw, message, timestamp, level, parsed, metadata, tags, name, later[0] if later else "record")


def exported(payload: bytes, source: str, stream: str, number: int) -> bytes:
    """A payload as a line of JSON for people: the event by the names of the data schema, and its place in the spool.

    One of a form that we do not know is a line with its bytes in `payload` (backslash escapes) and `error`.
    """
    place: dict[str, Json] = {"source": source, "stream": stream, "number": number}
    try:
        event = decode(payload)
    except ValueError as error:
        return orjson.dumps({**place, "error": str(error), "payload": repr(payload)[2:-1]}) + b"\n"
    line = place | {
        "timestamp": event.timestamp,
        "level": event.level,
        "message": event.message,
        "raw_log": event.raw,
        "parsed_fields": event.fields,
        "metadata": {**event.metadata, "format": event.format},
        "tags": [*event.tags],
    }
    try:
        return orjson.dumps(line) + b"\n"
    except orjson.JSONEncodeError:  # as for form 2
        return json.dumps(line).encode() + b"\n"
