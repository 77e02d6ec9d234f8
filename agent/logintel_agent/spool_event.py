"""The form of an event in the spool: version 1 | JSON array of the event's fields, in the order of the class.

Later versions of the same number may append fields; a reader ignores those that it does not know.
"""

from __future__ import annotations

import json
from typing import Final

import orjson

from logintel.event import Event

_VERSION: Final = b"\x01"


def encode(event: Event) -> bytes:
    """The event exactly as it is: lone surrogates and large integers, which orjson refuses, go through json."""
    fields = [
        event.raw,
        event.message,
        event.timestamp,
        event.level,
        event.fields,
        event.metadata,
        event.tags,
        event.format,
    ]
    try:
        return _VERSION + orjson.dumps(fields)
    except orjson.JSONEncodeError:
        return _VERSION + json.dumps(fields).encode()


def decode(payload: bytes) -> Event:
    """The event that `encode` was given. Raises ValueError when the payload is not one of ours."""
    if not payload.startswith(_VERSION):
        raise ValueError(f"expected version {_VERSION[0]}, got {payload[:1]!r}")
    body = payload[1:]
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        fields = json.loads(body)
    raw, message, timestamp, level, parsed, metadata, tags, name, *_ = fields
    return Event(raw, message, timestamp, level, parsed, metadata, tags, name)
