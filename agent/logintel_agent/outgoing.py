"""Outgoing records: gives a batch's events their identity and timestamps and encodes them for the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from logintel.batch import Batch
from logintel.bus import Record
from logintel.encoder import Encoder
from logintel.event import MAX_ENCODED, Envelope, Event, TimestampOrigin
from logintel.identity import Identities, counted, identify
from logintel.lines import Lines
from logintel.written import timestamp_of
from logintel_agent.mark import Mark

if TYPE_CHECKING:
    from logintel_agent.processing.processing import Processing

#: Encodes an event with its stamp, where that is from, and its log_id.
Encode: TypeAlias = Callable[[Event, str, TimestampOrigin, str], bytes]
#: Tag of an event that was too long to be sent whole.
CUT = "_cut"
#: Why the whole of such an event is a dead letter.
TOO_LONG = "too_long"


class Dropped(NamedTuple):
    """An event of a batch that is not sent.

    seq       12 bytes, its position in the stream
    reason    what dropped it, a word that can be counted: `filter:NAME`, `sample:NAME`, `rate_limit`, `quota`,
              `redaction_overrun`, `redaction_failed`; `too_long` where it is only cut
    original  the encoded event where it must be kept on this host as a dead letter before the mark moves; else None
    """

    seq: bytes
    reason: str
    original: bytes | None = None


class Outgoing(NamedTuple):
    """What becomes of a batch: what is sent, what is not, and the mark behind both.

    `cut`: what is sent without a part of it; `original` is the whole, which must be kept before the mark moves.
    """

    records: list[Record]
    mark: Mark
    dropped: Sequence[Dropped] = ()
    cut: Sequence[Dropped] = ()


def outgoing(batch: Batch, mark: Mark, envelope: Envelope, processing: Processing | None = None) -> Outgoing:
    """What becomes of a batch that follows `mark`.

    The same batch behind the same mark gives the same records: an event without a stamp takes that of the one before.
    """
    if processing is not None:
        return processing.outgoing(batch, mark, envelope)
    stream = bytes.fromhex(mark.id)
    encoder = Encoder(envelope, batch.metadata)
    items, (log_ids, seqs) = identified(batch, stream, mark, encoder)
    whole: dict[str, bytes] = {}

    def encode(event: Event, stamp: str, origin: TimestampOrigin, log_id: str) -> bytes:
        value = encoder.encode(event, stamp, origin, log_id)
        if len(value) <= MAX_ENCODED:
            return value
        whole[log_id] = value
        return shortened(event, stamp, origin, log_id, encoder)

    values, stamp, origin = encoded(items, log_ids, mark, encode)
    behind = replace(mark, cursor=batch.cursor, count=mark.count + len(values), stamp=stamp, origin=origin)
    cut = [Dropped(seqs[log_ids.index(log_id)], TOO_LONG, value) for log_id, value in whole.items()]
    return Outgoing(records_of(values, stream, seqs), behind, (), cut)


def identified(batch: Batch, stream: bytes, mark: Mark, encoder: Encoder) -> tuple[Sequence[bytes | Event], Identities]:
    """The batch's events, written already or not, and their identities."""
    events = batch.events
    spans = counted(mark.count, events) if batch.spans is None else batch.spans
    identities = identify(stream, spans)
    if not isinstance(events, Lines):
        return events, identities
    entries = events.write(identities.log_ids, encoder)
    if set(map(type, entries)) == {bytes}:
        return cast("Sequence[bytes]", entries), identities
    each: list[Sequence[bytes | Event]] = [(entry,) if isinstance(entry, bytes) else entry for entry in entries]
    several = [span for span, found in zip(spans, each, strict=True) for _ in found]
    return list(chain.from_iterable(each)), identities if len(several) == len(spans) else identify(stream, several)


def encoded(
    items: Sequence[bytes | Event], log_ids: Sequence[str], mark: Mark, encode: Encode
) -> tuple[Sequence[bytes], str, TimestampOrigin]:
    """What is sent, and the stamp for an event behind it that has none, with where that is from."""
    if set(map(type, items)) == {bytes}:
        written = cast("Sequence[bytes]", items)
        return written, timestamp_of(written[-1]), "previous"
    stamp, origin = mark.stamp, mark.origin
    values = []
    for item, log_id in zip(items, log_ids, strict=True):
        if isinstance(item, bytes):
            stamp, origin, value = timestamp_of(item), "previous", item
        elif item.timestamp is not None:
            stamp, origin = item.timestamp, "previous"
            value = encode(item, stamp, item.origin, log_id)
        else:
            value = encode(item, stamp, origin, log_id)
        values.append(value)
    return values, stamp, origin


def records_of(values: Iterable[bytes], stream: bytes, seqs: Iterable[bytes]) -> list[Record]:
    """The records of encoded events."""
    record = partial(tuple.__new__, Record)  # without the class's own constructor: the hot path
    return list(map(record, zip(values, repeat(stream), seqs)))


def shortened(event: Event, stamp: str, origin: TimestampOrigin, log_id: str, encoder: Encoder) -> bytes:
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
