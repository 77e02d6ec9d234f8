"""The document: one event as the index and the rules see it (topic log-processing, engineering_logs-*)."""

from __future__ import annotations

from typing import NamedTuple

from logintel.event import Json


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
