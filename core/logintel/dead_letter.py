"""The dead letter: a record that could not go on, whole, with why. The one shape for agent and collector."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import orjson

#: Where a record was refused; a replay enters again there.
Stage: TypeAlias = Literal["format", "process", "send", "processor", "indexer", "recorder", "analyst"]

_PLACE: Final = ("stream", "seq")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused record.

    log_id          the event's id; where the record does not tell it, an id made from its stream and seq
    stage           what refused it
    reason          one word that can be counted, e.g. `undecodable`
    error           what exactly was wrong, for a person; holds no content of the record
    attempts        how often it was tried
    original        the record's bytes as they were received
    config_version  the configuration under which it was refused; "" where there is none
    created_at      UTC, 27 characters
    stream, seq     the event's place in its stream, as on the bus; empty where nobody knows
    """

    log_id: str
    stage: Stage
    reason: str
    error: str
    attempts: int
    original: bytes
    config_version: str
    created_at: str
    stream: bytes = b""
    seq: bytes = b""


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """The letter as values of JSON: the record's bytes in base64, its place in hexadecimal."""
    original = base64.b64encode(letter.original).decode()
    return asdict(letter) | {"original": original, "stream": letter.stream.hex(), "seq": letter.seq.hex()}


def from_json(body: Mapping[str, Any]) -> DeadLetter:
    """What `as_json` gave, or an older version without a place; further keys are not looked at.

    Raises ValueError: it is no letter.
    """
    try:
        named = {name: body[name] for name in DeadLetter.__slots__ if name not in _PLACE}
        if named["stage"] not in get_args(Stage):
            raise ValueError(f"unknown stage {named['stage']!r}")
        named["original"] = base64.b64decode(named["original"], validate=True)
        return DeadLetter(**named | {name: bytes.fromhex(body.get(name, "")) for name in _PLACE})
    except (KeyError, TypeError) as error:
        raise ValueError(f"no dead letter: {error}") from error


def encoded(letter: DeadLetter) -> bytes:
    """The letter as JSON."""
    return orjson.dumps(as_json(letter))
