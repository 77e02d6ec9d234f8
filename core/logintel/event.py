"""The event: one log record as it travels from a source plugin to the index.

Sources and formats build `Event`; the agent completes it (identity, envelope, timestamp of last resort) and writes it
to topic log-ingestion as JSON with the field names of the data schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

import orjson

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Level: TypeAlias = Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
#: Where an event's timestamp came from, weakest last; stored as metadata.timestamp_from.
TimestampOrigin: TypeAlias = Literal["record", "previous", "mtime", "received"]

#: Version of the stored and sent form. Readers take this one and the one before, and ignore keys they do not know.
SCHEMA: Final = 1
#: Largest encoded event, bytes. What is longer is cut and marked before sending (Kafka's default limit is 1 MiB).
MAX_ENCODED: Final = 512 * 1024
#: The seed's parsed_fields; every other parsed value belongs to metadata.
PARSED_FIELDS: Final = frozenset({"host", "service", "thread", "class", "method", "line_number", "stack_trace"})
#: Tag of an event that no format could decode; its raw text is kept and metadata.parse_error says why.
UNPARSED: Final = "_unparsed"


@dataclass(slots=True)
class Event:
    """One log record. Only `raw` is required; a format fills what the record itself says, never a guess.

    raw        the record's text as read, lines joined by "\\n", no final line end
    message    what a person reads first; the whole text where the format knows no message part
    timestamp  UTC, always `YYYY-MM-DDTHH:MM:SS.ffffffZ` (27 characters, so text order is time order); None: not stated
    level      DEBUG INFO WARN ERROR FATAL; None: not stated
    fields     parsed_fields: keys of PARSED_FIELDS only
    metadata   every further parsed value (small JSON)
    tags       short labels; `_unparsed` marks what no format could decode
    format     name of the format that decoded it; sent as metadata.format
    """

    raw: str
    message: str = ""
    timestamp: str | None = None
    level: Level | None = None
    fields: dict[str, Json] = field(default_factory=dict)
    metadata: dict[str, Json] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    format: str = ""


class Envelope(NamedTuple):
    """What every event of one source shares; constant while the source runs."""

    source_id: str
    metadata: dict[str, Json]
    tags: tuple[str, ...] = ()


class _Known(NamedTuple):
    """What the agent itself says of events of one format: the names, with their values, and as JSON up to what the
    event adds."""

    names: frozenset[str]
    values: dict[str, Json]
    opening: bytes


class Encoder:
    """Writes the events of one source as they are sent to log-ingestion: UTF-8 JSON with the data schema's names.

    What goes without saying is left out, and `decode` puts it back: a message that is the raw text, no level, no tags,
    no parsed fields. What is the same for many events is written once and copied.
    """

    def __init__(self, envelope: Envelope, shared: Mapping[str, Json] | None = None) -> None:
        """`shared`: metadata of all events to come, beside the envelope's."""
        self._envelope = envelope
        self._shared = {**envelope.metadata, **(shared or {})}
        self._known: dict[tuple[str, TimestampOrigin], _Known] = {}

    def encode(self, event: Event, timestamp: str, origin: TimestampOrigin, log_id: str) -> bytes:
        """`timestamp` and `origin` are the agent's verdict: the event's own stamp, or the fallback that was used.

        What a record says under a name that the agent uses itself is kept as `record_NAME`. Lone surrogates, which
        JSON cannot carry, are written as `\\udXXX` text. The event is not needed afterwards.
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


def decode(value: bytes) -> dict[str, Json]:
    """The event that `Encoder.encode` wrote, with what it left out.

    Raises ValueError when it is no JSON object (damage, or not ours) or one without an event's names.
    """
    body = orjson.loads(value)
    if not isinstance(body, dict):
        raise ValueError(f"expected a JSON object, got {type(body).__name__}")
    for key in ("source_id", "log_id", "timestamp", "raw_log"):
        if not isinstance(body.get(key), str):
            raise ValueError(f"{key!r} is missing or not a string")
    return {"level": None, "message": body["raw_log"], "tags": [], "parsed_fields": {}, "metadata": {}, **body}


def _set_aside(metadata: dict[str, Json], known: Mapping[str, Json]) -> None:
    """Keep what a record says under a name of the agent's beside it, unless it says the same."""
    for name in known.keys() & metadata.keys():
        value = metadata.pop(name)
        if value != known[name]:
            metadata[f"record_{name}"] = value


def _mended(value: object) -> Json:
    """`value` with every text made valid Unicode and every number that JSON has no form for made text."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {str(_mended(str(key))): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    return str(value)
