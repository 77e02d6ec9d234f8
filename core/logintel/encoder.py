"""The encoder: the event as it is sent to log-ingestion, UTF-8 JSON with the data schema's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson

from logintel.event import Envelope, Event, Json, TimestampOrigin

#: Levels of lists and objects in an event's values, below what JSON's readers and writers take; deeper ones are left
#: out, the text of the record has them.
_DEEPEST: Final = 100
_TOO_DEEP: Final = "(nested too deeply)"


class _Known(NamedTuple):
    """What the agent itself says of events of one format: the names, with their values, and as JSON up to what the
    event adds."""

    names: frozenset[str]
    values: dict[str, Json]
    opening: bytes


class Encoder:
    """Writes the events of one source; also the Frame of what formats write themselves.

    What goes without saying is left out, and `logintel.event.decode` puts it back: a message that is the raw text, no
    level, no tags, no parsed fields. What is the same for many events is written once and copied.
    """

    def __init__(self, envelope: Envelope, shared: Mapping[str, Json] | None = None) -> None:
        """`shared`: metadata of all events to come, beside the envelope's."""
        self._envelope = envelope
        self._shared = {**envelope.metadata, **(shared or {})}
        self._known: dict[tuple[str, TimestampOrigin], _Known] = {}
        self._between: dict[tuple[frozenset[str], str], str | None] = {}

    def between(self, names: frozenset[str], format_: str) -> str | None:
        """See Frame."""
        try:
            return self._between[names, format_]  # asked for each JSON line
        except KeyError:
            ours, _, opening = self._known.get((format_, "record")) or self._know(format_, "record")
            tags = f',"tags":{orjson.dumps(self._envelope.tags).decode()}' if self._envelope.tags else ""
            between = self._between[names, format_] = tags + opening.decode() if ours.isdisjoint(names) else None
            return between

    def encode(self, event: Event, timestamp: str, origin: TimestampOrigin, log_id: str) -> bytes:
        """`timestamp` and `origin` are the agent's verdict: the event's own stamp, or the fallback that was used.

        What a record says under a name that the agent uses itself is kept as `record_NAME`. Lone surrogates, which
        JSON cannot carry, are written as `\\udXXX` text, and what is nested deeper than a hundred levels is left
        out. The event is not needed afterwards.
        """
        names, known, opening = self._known.get((event.format, origin)) or self._know(event.format, origin)
        metadata = event.metadata
        if not names.isdisjoint(metadata):
            _set_aside(metadata, known)
        body: dict[str, object] = {"log_id": log_id, "timestamp": timestamp, "raw_log": event.raw}
        if event.level is not None:
            body["level"] = event.level
        if event.message and event.message != event.raw:
            body["message"] = event.message
        if event.tags or self._envelope.tags:
            body["tags"] = [*self._envelope.tags, *event.tags]
        if event.fields:
            body["parsed_fields"] = event.fields
        try:
            said, own = orjson.dumps(body), orjson.dumps(metadata)
        except orjson.JSONEncodeError:
            said, own = orjson.dumps(_mended(body)), orjson.dumps(_mended(metadata))
        return b"".join((said[:-1], opening, b"," if metadata else b"", own[1:], b"}"))

    def _know(self, format_: str, origin: TimestampOrigin) -> _Known:
        known = {**self._shared, "timestamp_from": origin, "format": format_}
        written = orjson.dumps(_mended({"source_id": self._envelope.source_id, "metadata": known}))
        self._known[format_, origin] = found = _Known(frozenset(known), known, b"," + written[1:-2])
        return found


def _set_aside(metadata: dict[str, Json], known: Mapping[str, Json]) -> None:
    """Keep what a record says under a name of the agent's beside it, unless it says the same."""
    for name in known.keys() & metadata.keys():
        value = metadata.pop(name)
        if value != known[name]:
            metadata[f"record_{name}"] = value


def _mended(value: object, depth: int = 0) -> Json:
    """`value` with every text made valid Unicode, every number that JSON has no form for made text, and no nesting
    beyond what JSON's writers take."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if depth == _DEEPEST and isinstance(value, dict | list | tuple):
        return _TOO_DEEP
    if isinstance(value, dict):
        return {str(_mended(str(key))): _mended(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item, depth + 1) for item in value]
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    return str(value)
