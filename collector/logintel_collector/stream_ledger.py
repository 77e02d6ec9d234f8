"""The stream ledger: what topic stream-ledger keeps, as keys and values.

A range is what the processor has passed on of one stream within an hour, at one stretch: written in the transaction of
the events, again and again under one key while it grows. A gap is what was gone from the bus before a role had read it.

range  key `p` (of a dead letter that was sent once more `r`, of what something else had processed before `e`), stream
       (16 bytes), seq of its first event (12 bytes), name of the installation
       value {"v": 1, "last": seq of its last event in hexadecimal, "hour": YYYY-MM-DDTHH,
              "days": {index day ("" for outliers): documents}, "dead_letters": the processor's own}
gap    key `g` and [reader, topic, partition, wanted]
       value {"v": 1, "reader", "topic", "partition", "wanted", "continued_from", "records", "at"}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_consumer import Gap
from logintel.identity import STREAM_ID_BYTES, position_of, seq_of

VERSION: Final = 1
#: Form of an hour.
HOUR: Final = "%Y-%m-%dT%H"
Kind: TypeAlias = Literal["passed", "replay", "elsewhere"]
_KINDS: Final[dict[bytes, Kind]] = {b"p": "passed", b"r": "replay", b"e": "elsewhere"}
_LETTERS: Final = {kind: letter for letter, kind in _KINDS.items()}
_GAP: Final = b"g"
_STREAM: Final = slice(1, 1 + STREAM_ID_BYTES)
_SEQ: Final = slice(_STREAM.stop, _STREAM.stop + len(seq_of(0)))
_SCHEMA: Final = ("schema", b"1")


@dataclass(slots=True)
class StreamRange:
    """Events of one stream from seq `first` to `last`.

    hour          when it was begun, UTC
    days          documents by the day of their index, "" for outliers
    dead_letters  what the processor could make no document of
    kind          replay: of one dead letter that was sent once more; elsewhere: nothing of it passed this collector
    """

    installation: str
    stream: bytes
    first: bytes
    last: bytes
    hour: str
    days: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    kind: Kind = "passed"

    @property
    def documents(self) -> int:
        """Of all days."""
        return sum(self.days.values())


@dataclass(frozen=True, slots=True)
class KnownGap:
    """A gap that `reader` met; `records`: how many offsets it has, None where nobody knows; `at`: UTC."""

    reader: str
    topic: str
    partition: int
    wanted: int | None
    continued_from: int
    records: int | None
    at: str


def range_key(known: StreamRange) -> bytes:
    """Under which it is kept."""
    return _LETTERS[known.kind] + known.stream + known.first + known.installation.encode()


def range_out(known: StreamRange, key: bytes | None = None) -> Message:
    """The range as it is now; `key`: that of `range_key`, where somebody has it at hand."""
    value = {
        "v": VERSION,
        "last": known.last.hex(),
        "hour": known.hour,
        "days": known.days,
        "dead_letters": known.dead_letters,
    }
    return key or range_key(known), orjson.dumps(value), [_SCHEMA]


def gap_out(reader: str, gap: Gap, at: str) -> Message:
    """A gap, found at `at`."""
    key = _GAP + orjson.dumps([reader, gap.topic, gap.partition, gap.wanted])
    value = {"v": VERSION, "reader": reader, **gap._asdict(), "records": gap.records, "at": at}
    return key, orjson.dumps(value), [_SCHEMA]


def entry_of(key: bytes, value: bytes) -> StreamRange | KnownGap | None:
    """What a record says; None: nothing that this version knows."""
    try:
        body = orjson.loads(value)
        if body["v"] != VERSION:
            return None
        if key[:1] == _GAP:
            return _gap_of(body)
        return _range_of(key, body) if key[:1] in _KINDS else None
    except (ValueError, KeyError, TypeError):
        return None


def _gap_of(body: dict[str, Any]) -> KnownGap:
    return KnownGap(**{name: body[name] for name in KnownGap.__slots__})


def _range_of(key: bytes, body: dict[str, Any]) -> StreamRange:
    stream, first, installation = key[_STREAM], key[_SEQ], key[_SEQ.stop :].decode()
    position_of(first)
    days, letters = dict(body["days"]), int(body["dead_letters"])
    return StreamRange(
        installation, stream, first, bytes.fromhex(body["last"]), body["hour"], days, letters, _KINDS[key[:1]]
    )
