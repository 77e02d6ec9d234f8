"""Identity: ids of sources, streams and events, the same at every replay.

An event's log_id is a UUIDv8 (RFC 9562, 5.8) laid out so that ids of one stream rise with its position:

    60 bits  hash of the stream id      the same prefix for a whole stream
    46 bits  end offset in the stream   rising (64 TiB)
    16 bits  mix of start and index     tells records apart that end at the same byte

It is Elasticsearch's _id, log_entries.id and the name of a dead letter, so a replay never makes a second event.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
import uuid
from collections.abc import Iterable, Sized
from typing import Final, NamedTuple

#: (start, end) of an event's record in its stream: bytes for a file, counts where nothing better exists.
Span = tuple[int, int]

STREAM_ID_BYTES: Final = 16
_NAMESPACE: Final = uuid.UUID("6f1d5c2e-8a0b-5f4e-9c57-1f0e6c6f6769")
_SEQ: Final = struct.Struct(">QI")
_OFFSET_MASK: Final = (1 << 46) - 1
#: RFC 9562, 4.1: the two bits that begin the fourth group.
_VARIANT: Final = 1 << 63


class Identities(NamedTuple):
    """Of some events, in order. A seq is 12 bytes (end offset, index) whose byte order is the stream's order."""

    log_ids: list[str]
    seqs: list[bytes]


def source_id(installation: str, name: str, host: str | None) -> str:
    """UUIDv5 of (installation, source name), with the host only for sources that are local to a host."""
    return str(uuid.uuid5(_NAMESPACE, "\0".join(("source", installation, name, host or ""))))


def named_id(*parts: str) -> str:
    """UUIDv5 of some names, for what must have the same id everywhere (rules, alerts)."""
    return str(uuid.uuid5(_NAMESPACE, "\0".join(parts)))


def new_stream_id() -> bytes:
    """A random id for one incarnation of something read in order."""
    return secrets.token_bytes(STREAM_ID_BYTES)


def identify(stream: bytes, spans: Iterable[Span]) -> Identities:
    """The identities of the events of `stream` whose spans are `spans`, in order.

    Events that share a span came out of one record; they are told apart by their index in it.
    """
    numbers: list[int] = []
    seqs: list[bytes] = []
    pack = _SEQ.pack
    previous: Span | None = None
    index = 0
    for span in spans:
        index = index + 1 if span == previous else 0
        previous = span
        start, end = span
        numbers.append(
            _VARIANT | (end & _OFFSET_MASK) << 16 | ((start * 0x9E3779B1 ^ index * 0x85EBCA6B) >> 7) & 0xFFFF
        )
        seqs.append(pack(end, index))
    head = _stream_prefix(stream)
    digits = struct.pack(f">{len(numbers)}Q", *numbers).hex()  # the hot path: all in one call
    ids = [f"{head}-{digits[at : at + 4]}-{digits[at + 4 : at + 16]}" for at in range(0, len(digits), 16)]
    return Identities(ids, seqs)


def id_bounds(stream: bytes, first: bytes, last: bytes) -> tuple[str, str]:
    """The lowest and the highest log_id that events of `stream` from seq `first` to seq `last` can have.

    Events that end at the same byte as the first or the last one are inside.
    """
    head = _stream_prefix(stream)
    lowest, highest = ((_VARIANT | (position_of(seq)[0] & _OFFSET_MASK) << 16) for seq in (first, last))
    return tuple(f"{head}-{digits[:4]}-{digits[4:]}" for digits in (f"{lowest:016x}", f"{highest | 0xFFFF:016x}"))  # type: ignore[return-value]


def seq_of(end: int, index: int = 0) -> bytes:
    """The wire form of a position; compares as the position does."""
    return _SEQ.pack(end, index)


def position_of(seq: bytes) -> tuple[int, int]:
    """(end offset, index) out of its wire form. Raises ValueError when it is not 12 bytes."""
    if len(seq) != _SEQ.size:
        raise ValueError(f"a seq has {_SEQ.size} bytes, got {len(seq)}")
    end, index = _SEQ.unpack(seq)
    return end, index


def counted(start: int, events: Sized) -> list[Span]:
    """Spans for a stream whose only position is the number of events before: each event is one step."""
    return [(place, place + 1) for place in range(start, start + len(events))]


def _stream_prefix(stream: bytes) -> str:
    """The first three groups of the UUIDs of a stream: 60 bits of hash and the version digit."""
    text = hashlib.blake2b(stream, digest_size=8).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[12:15]}"
