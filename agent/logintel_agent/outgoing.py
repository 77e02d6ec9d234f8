"""Outgoing records: gives a batch's events their identity and timestamps and encodes them for the bus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from logintel.batch import Batch
from logintel.bus import Record
from logintel.encoder import Encoder
from logintel.event import MAX_ENCODED, Envelope, Event, TimestampOrigin
from logintel.identity import counted, identify
from logintel.written import Written
from logintel_agent.checkpoint import Mark

#: Tag of an event that was too long to be sent whole.
CUT = "_cut"


def outgoing(batch: Batch, mark: Mark, envelope: Envelope) -> tuple[list[Record], Mark]:
    """The records of a batch that follows `mark`, and the mark behind it.

    The same batch behind the same mark gives the same records: an event without a stamp takes that of the one before.
    """
    stream = bytes.fromhex(mark.id)
    stamp, origin = mark.stamp, mark.origin
    spans = counted(mark.count, batch.events) if batch.spans is None else batch.spans
    encoder = Encoder(envelope, batch.metadata)
    records = []
    for event, (log_id, seq) in zip(batch.events, identify(stream, spans), strict=True):
        shown = origin
        if event.timestamp is not None:
            stamp, origin, shown = event.timestamp, "previous", "record"
        value = encoder.encode(event, stamp, shown, log_id)
        if len(value) > MAX_ENCODED:
            whole = event.event() if isinstance(event, Written) else event
            value = _fitting(whole, stamp, shown, log_id, encoder)
        records.append(Record(value, stream, seq))
    return records, replace(mark, cursor=batch.cursor, count=mark.count + len(batch.events), stamp=stamp, origin=origin)


def _fitting(event: Event, stamp: str, origin: TimestampOrigin, log_id: str, encoder: Encoder) -> bytes:
    """The event with its texts cut, and its metadata left out if need be, so that it can be sent; it says so itself."""
    size = len(event.raw)
    for metadata, tags in ((event.metadata, event.tags), ({}, [])):
        for keep in _halvings(MAX_ENCODED // 4):
            cut = Event(
                raw=event.raw[:keep],
                message=event.message[:keep],
                level=event.level,
                fields={key: value[:keep] if isinstance(value, str) else value for key, value in event.fields.items()},
                metadata={**metadata, "cut_from": size},
                tags=[*tags, CUT],
                format=event.format,
            )
            value = encoder.encode(cut, stamp, origin, log_id)
            if len(value) <= MAX_ENCODED:
                return value
    raise ValueError(f"the keys that the configuration puts on every event exceed {MAX_ENCODED} bytes")


def _halvings(start: int) -> Iterator[int]:
    while start:
        yield start
        start //= 2
