"""The document: one event as the index and the rules see it (topic log-processing, engineering_logs-*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_args

from logintel.event import Json, Level

_LEVELS: Final = frozenset((*get_args(Level), None))
_LEVEL_TYPES: Final = (str, type(None))


class Document(NamedTuple):
    """An event after processing.

    source  the Elasticsearch document (the seed's mapping): log_id, source_id, timestamp, level, message, raw_log,
            category, tags, metadata, parsed_fields, size_bytes, processing_status, created_at
    body    `source` as JSON bytes, which is what gets stored
    day     the index's day by event date, `YYYY.MM.DD`; None: outside the accepted range, so in the index of outliers
    """

    source: dict[str, Json]
    body: bytes
    day: str | None = None

    @property
    def log_id(self) -> str:
        """The event's identity; Elasticsearch's _id."""
        return str(self.source["log_id"])

    @property
    def timestamp(self) -> str:
        """UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
        return str(self.source["timestamp"])


def check_shape(event: Mapping[str, Any]) -> None:
    """Raises ValueError, without content, where an event's or a document's members are not of their types."""
    # `decode` gives JSON's own types, which are compared in a third of what isinstance takes.
    if not (
        event["message"].__class__ is str and event["metadata"].__class__ is event["parsed_fields"].__class__ is dict
    ):
        raise ValueError("expected 'message' to be a text, 'metadata' and 'parsed_fields' objects")
    tags, level = event["tags"], event["level"]
    if tags.__class__ is not list or (tags and not all(tag.__class__ is str for tag in tags)):
        raise ValueError("'tags': expected a list of texts")
    if level.__class__ not in _LEVEL_TYPES or level not in _LEVELS:
        raise ValueError("'level': expected DEBUG, INFO, WARN, ERROR, FATAL or null")
