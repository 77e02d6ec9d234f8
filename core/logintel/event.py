"""The event: one log record as it travels from a source plugin to the index.

Sources and formats build `Event`; the agent completes it (identity, envelope, timestamp of last resort) and writes it
to topic log-ingestion as JSON with the field names of the data schema.
"""

from __future__ import annotations

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
    origin     where `timestamp` is from, where there is one
    """

    raw: str
    message: str = ""
    timestamp: str | None = None
    level: Level | None = None
    fields: dict[str, Json] = field(default_factory=dict)
    metadata: dict[str, Json] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    format: str = ""
    origin: TimestampOrigin = "record"


class Envelope(NamedTuple):
    """What every event of one source shares; constant while the source runs."""

    source_id: str
    metadata: dict[str, Json]
    tags: tuple[str, ...] = ()


def decode(value: bytes) -> dict[str, Json]:
    """The event that an Encoder wrote, with what it left out.

    Raises ValueError when it is no JSON object (damage, or not ours) or one without an event's names.
    """
    body = orjson.loads(value)
    if not isinstance(body, dict):
        raise ValueError(f"expected a JSON object, got {type(body).__name__}")
    for key in ("source_id", "log_id", "timestamp", "raw_log"):
        if not isinstance(body.get(key), str):
            raise ValueError(f"{key!r} is missing or not a string")
    return {"level": None, "message": body["raw_log"], "tags": [], "parsed_fields": {}, "metadata": {}, **body}
