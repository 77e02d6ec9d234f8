"""The record of a letter: what the processor refused, as it came, and what it tells of itself."""

from __future__ import annotations

import hashlib

import orjson

from logintel.bus import Record
from logintel.dead_letter import DeadLetter
from logintel.identity import STREAM_ID_BYTES, seq_of


def record_of(letter: DeadLetter) -> Record:
    """As it came; where no stream is known, in one of its own."""
    if len(letter.stream) == STREAM_ID_BYTES and letter.seq:
        return Record(letter.original, letter.stream, letter.seq)
    own = hashlib.blake2b(letter.log_id.encode(), digest_size=STREAM_ID_BYTES).digest()
    return Record(letter.original, own, seq_of(0))


def source_of(letter: DeadLetter) -> str:
    """The source's name, "" where the record does not tell."""
    try:
        name = orjson.loads(letter.original)["metadata"]["source"]
    except (ValueError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) else ""
