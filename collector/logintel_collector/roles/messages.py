"""Messages: what the processor reads and writes on Kafka, as keys, values and headers.

log-ingestion     key stream id (16 bytes), value the encoded event, headers seq (12 bytes; where a dead letter is sent
                  once more it is called replay), schema
log-processing    key stream id, value the document, headers log_id, day (empty: an outlier), seq, schema, and replay
                  (empty) where it is one
stream-positions  key stream id, value seq (nothing: forgotten)
log-dead-letter   key stage/log_id, value the dead letter as JSON; nothing when it went on, and when somebody dropped it
                  {"v": 1, "log_id", "stage", "reason", "stream", "seq", "dropped_at"}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

import orjson

from logintel.bus import Record, kafka_replay
from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_consumer import Consumed
from logintel.dead_letter import DeadLetter, Stage, encoded
from logintel.event import decode
from logintel.identity import STREAM_ID_BYTES, named_id, seq_of
from logintel_collector.document import Document

_SCHEMA: Final = ("schema", b"1")
#: How many headers a message of log-processing has, but for a replay; log_id and day are the first.
HEADERS: Final = 4
_SEQ_BYTES: Final = len(seq_of(0))
#: Bytes of a record that its letter holds: in base64 they fit on the topic though nothing makes them smaller there. A
#: sender's compression can have brought ten times as much onto the bus.
_KEPT: Final = 2 * 1024 * 1024
#: Characters of an id that a record may give itself.
_LONGEST_ID: Final = 512
#: Without the class's own constructor, which takes as long as all else that a record needs here.
_new: Final = tuple.__new__


def identified(read: Consumed) -> Record | None:
    """The record as the bus means it; None: it says no stream, no position or nothing at all."""
    stream, value = read.key, read.value
    if stream is None or len(stream) != STREAM_ID_BYTES or value is None:
        return None
    for name, seq in read.headers:
        if name == "seq" and len(seq) == _SEQ_BYTES:
            return _new(Record, (value, stream, seq))
    return None


def replay_of(read: Consumed) -> Record | None:
    """The record of a dead letter that was sent once more; None: it is none."""
    stream, value, seq = read.key, read.value, dict(read.headers).get(kafka_replay.HEADER, b"")
    if stream is None or len(stream) != STREAM_ID_BYTES or value is None or len(seq) != _SEQ_BYTES:
        return None
    return Record(value, stream, seq)


def is_replay(read: Consumed) -> bool:
    """Whether a message of log-processing is from a dead letter: stored under its id, and not counted by rules."""
    return any(name == kafka_replay.HEADER for name, _ in read.headers)


def placed(read: Consumed) -> tuple[bytes, bytes]:
    """The headers log_id and day of a message of log-processing; empty where there are none."""
    headers = read.headers
    if len(headers) >= HEADERS:
        (first, log_id), (second, day) = headers[:2]
        if first == "log_id" and second == "day":
            return log_id, day
    named = dict(headers)
    return named.get("log_id", b""), named.get("day", b"")


def log_id_of(read: Consumed, topic: str, partition: int) -> str:
    """The event's id, else one made from the record's place."""
    try:
        said = str(decode(read.value or b"")["log_id"])
    except ValueError:
        said = ""
    return said if 0 < len(said) <= _LONGEST_ID else named_id("bus", topic, str(partition), str(read.offset))


def document_out(document: Document, record: Record) -> Message:
    """For log-processing."""
    source, body, day = document
    log_id = str(source["log_id"]).encode()
    return record.stream, body, [("log_id", log_id), _day_header(day), ("seq", record.seq), _SCHEMA]


def replay_out(document: Document, record: Record) -> Message:
    """For log-processing, from a dead letter."""
    key, body, headers = document_out(document, record)
    return key, body, [*headers, (kafka_replay.HEADER, b"")]


def positions_out(positions: Mapping[bytes, bytes]) -> Iterator[Message]:
    """For stream-positions."""
    for stream, seq in positions.items():
        yield stream, seq, [_SCHEMA]


def dead_letters_out(letters: Iterable[DeadLetter]) -> Iterator[Message]:
    """For log-dead-letter; of a record that does not fit there, the beginning."""
    for letter in letters:
        yield f"{letter.stage}/{letter.log_id}".encode(), encoded(_fitted(letter)), [_SCHEMA]


def _fitted(letter: DeadLetter) -> DeadLetter:
    size = len(letter.original)
    if size <= _KEPT:
        return letter
    error = f"{letter.error}; of its {size:,} bytes the first {_KEPT:,} are kept"
    return replace(letter, original=letter.original[:_KEPT], error=error)


class Refused(NamedTuple):
    """An event that a stage made a dead letter of, as a record of log-dead-letter tells it without the content."""

    stage: Stage
    log_id: str
    reason: str
    stream: bytes
    seq: bytes


def refused_of(value: bytes) -> Refused | None:
    """Of a letter, or of the note that one was dropped; None: it is neither."""
    try:
        body = orjson.loads(value)
        stream, seq = bytes.fromhex(body.get("stream", "")), bytes.fromhex(body.get("seq", ""))
        return Refused(body["stage"], body["log_id"], body["reason"], stream, seq)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def dropped_out(key: bytes, letter: DeadLetter, at: str) -> Message:
    """For log-dead-letter, in place of a letter that somebody dropped."""
    note = {
        "v": 1,
        "log_id": letter.log_id,
        "stage": letter.stage,
        "reason": letter.reason,
        "stream": letter.stream.hex(),
        "seq": letter.seq.hex(),
        "dropped_at": at,
    }
    return key, orjson.dumps(note), [_SCHEMA]


@lru_cache(maxsize=4096)
def _day_header(day: str | None) -> tuple[str, bytes]:
    return "day", (day or "").encode()
