"""The agents' reports: what topic agent-status says of each stream, and of those that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson

from logintel.bus.kafka_scan import scan
from logintel.bus.topics import STATUS
from logintel.config.shared import KafkaBusConfig
from logintel.identity import seq_of

#: Versions of the records that are read.
VERSIONS: Final = frozenset({1})


@dataclass(frozen=True, slots=True)
class SentRange:
    """Events from seq `first` to `last` whose outcome was known in the hours `since` to `until`, YYYY-MM-DDTHH."""

    first: bytes
    last: bytes
    since: str
    until: str
    acknowledged: int


@dataclass(frozen=True, slots=True)
class SentStream:
    """What an agent says of one stream: read = acknowledged + dropped + dead_letters + waiting + missing."""

    key: bytes
    place: int
    id: bytes
    host: str
    source: str
    name: str
    partition: int | None
    ended: bool
    read: int
    acknowledged: int
    dropped: int
    dead_letters: int
    waiting: int
    ranges: tuple[SentRange, ...]

    @property
    def missing(self) -> int:
        """Events without an outcome, by the agent's own account."""
        return self.read - self.acknowledged - self.dropped - self.dead_letters - self.waiting


async def read_reports(kafka: KafkaBusConfig, topic: str = STATUS.name) -> dict[bytes, tuple[int, dict[str, Any]]]:
    """Key → partition and newest value, of every record of a version that we know. Raises TimeoutError, KafkaError."""
    newest: dict[bytes, tuple[int, dict[str, Any]]] = {}
    async with aclosing(scan(kafka, topic)) as pages:
        async for page in pages:
            for record in page:
                value = _value_of(record.value)
                if value is not None:
                    newest[record.key] = (record.partition, value)
                elif record.value is None:
                    newest.pop(record.key, None)
    return newest


def streams_of(reports: Mapping[bytes, tuple[int, dict[str, Any]]], installation: str) -> dict[bytes, SentStream]:
    """Stream id → what is said of it, of one installation."""
    found = {}
    for key, (place, value) in reports.items():
        if value.get("kind") == "stream" and value.get("installation") == installation:
            stream = _stream_of(key, place, value)
            found[stream.id] = stream
    return found


def _stream_of(key: bytes, place: int, value: Mapping[str, Any]) -> SentStream:
    dropped, letters = (sum(value.get(name, {}).values()) for name in ("dropped", "dead_letters"))
    return SentStream(
        key,
        place,
        bytes.fromhex(value["id"]),
        value["host"],
        value["source"],
        value["stream"],
        value["partition"],
        value["ended"],
        value["read"],
        value["acknowledged"],
        dropped,
        letters,
        value["waiting"],
        tuple(map(_range_of, value["ranges"])),
    )


def _range_of(body: Mapping[str, Any]) -> SentRange:
    (first, last), (since, until) = body["seq"], body["hours"]
    return SentRange(seq_of(*first), seq_of(*last), since, until, body["acknowledged"])


def _value_of(body: bytes | None) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body or b"")
    except ValueError:
        return None
    return value if isinstance(value, dict) and value.get("v") in VERSIONS else None
