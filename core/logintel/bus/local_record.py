"""The form of a bus record in the segment log: version 1 | stream 16 | seq 12 | value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from logintel.bus import Record, Stored
from logintel.bus.segment import Entry

_VERSION: Final = b"\x01"
_STREAM: Final = slice(1, 17)
_SEQ: Final = slice(17, 29)
_VALUE: Final = slice(29, None)


def pack(records: Sequence[Record]) -> list[bytes]:
    """Payloads of the records. Raises ValueError when a stream or seq has the wrong length."""
    if any(len(stream) != 16 or len(seq) != 12 for _, stream, seq in records):
        raise ValueError("a record needs a stream of 16 bytes and a seq of 12 bytes")
    return [_VERSION + stream + seq + value for value, stream, seq in records]


def unpack(entries: Sequence[Entry]) -> list[Stored]:
    """The records of the payloads; those of a version that we do not know are left out."""
    return [
        Stored(number, Record(payload[_VALUE], payload[_STREAM], payload[_SEQ]))
        for number, payload in entries
        if payload.startswith(_VERSION)
    ]
