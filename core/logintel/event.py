"""The event: one log record as it travels from a source plugin to the index.

Sources and formats build `Event`; the agent completes it (identity, envelope, timestamp of last resort) and writes it
to topic log-ingestion as JSON with the field names of the data schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

import orjson

from logintel.identity import Identity

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


def encode(event: Event, timestamp: str, origin: TimestampOrigin, identity: Identity, envelope: Envelope) -> bytes:
    """The event as it is sent to log-ingestion: UTF-8 JSON with the data schema's names.

    `timestamp` and `origin` are the agent's verdict (the event's own stamp or the fallback that was used). What the
    agent knows is put into the event's own metadata (it is not needed afterwards); what a record says under the same
    name is kept beside it as `record_NAME`.
    Lone surrogates, which JSON cannot carry, are written as `\\udXXX` text.
    """
    metadata = event.metadata
    known = {**envelope.metadata, "timestamp_from": origin, "format": event.format}
    if not known.keys().isdisjoint(metadata):
        for name in known.keys() & metadata.keys():
            if metadata[name] != known[name]:
                metadata[f"record_{name}"] = metadata[name]
    metadata.update(known)
    body = {
        "source_id": envelope.source_id,
        "log_id": identity.log_id,
        "timestamp": timestamp,
        "level": event.level,
        "message": event.message or event.raw,
        "raw_log": event.raw,
        "tags": [*envelope.tags, *event.tags] if envelope.tags else event.tags,
        "parsed_fields": event.fields,
        "metadata": metadata,
    }
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        return orjson.dumps(_mended(body))


def decode(value: bytes) -> dict[str, Json]:
    """The JSON object that `encode` made. Raises ValueError when it is not one (damage, or not ours)."""
    body = orjson.loads(value)
    if not isinstance(body, dict):
        raise ValueError(f"expected a JSON object, got {type(body).__name__}")
    for key in ("source_id", "log_id", "timestamp", "raw_log"):
        if not isinstance(body.get(key), str):
            raise ValueError(f"{key!r} is missing or not a string")
    return body


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
