"""Enriching in tests: enrichers by their configuration, and records through a processor in batches of any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from logintel.bus import Record, Stored
from logintel.enricher import Enricher, EnricherContext
from logintel.hooks import load_plugins
from logintel_collector.enrichment.enrichment import Enrichment
from logintel_collector.processor import Processed, Processor

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STREAM = b"s" * 16
PLUGINS = load_plugins()
EVENT: dict[str, Any] = {
    "source_id": "0b0f9a0e-5b1c-5a35-9a3e-0d6d4c6f0b11",
    "log_id": "6b0f9a0e-5b1c-8a35-9a3e-0d6d4c6f0b11",
    "timestamp": "2026-11-21T10:00:00.000000Z",
    "raw_log": "disk almost full",
    "metadata": {"format": "text", "source": "web", "host": "web01"},
}


def enricher(name: str, *, read_only: bool = False, **keys: Any) -> Enricher:
    """An enricher of an installed plugin."""
    found = PLUGINS.enrichers[name]
    return found(found.Config.model_validate({"type": name, **keys}), EnricherContext(read_only=read_only))


def event(metadata: Mapping[str, Any] | None = None, **changes: Any) -> bytes:
    """An encoded event."""
    return orjson.dumps({**EVENT, **changes, "metadata": {**EVENT["metadata"], **(metadata or {})}})


def stored(values: Sequence[bytes]) -> list[Stored]:
    """The events as the bus has them."""
    return [Stored(n, Record(value, STREAM, n.to_bytes(12, "big"))) for n, value in enumerate(values, 1)]


def processed(values: Sequence[bytes], *enrichers: Enricher, size: int = 1000) -> Processed:
    """What the events become, when the bus gives `size` of them at once."""
    processor = Processor(lambda: NOW, enrichment=Enrichment(enrichers))
    whole, positions = Processed(), dict[bytes, bytes]()
    records = stored(values)
    for first in range(0, len(records), size):
        part = processor.process(records[first : first + size], positions)
        positions.update(part.positions)
        whole.documents += part.documents
        whole.dead_letters += part.dead_letters
        whole.unenriched += part.unenriched
    return whole


def source(value: bytes, *enrichers: Enricher) -> dict[str, Any]:
    """The document of one event."""
    (document,) = processed([value], *enrichers).documents
    assert orjson.loads(document.body) == document.source
    return document.source
