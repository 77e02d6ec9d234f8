"""The agents' reports: what topic agent-status says of each stream, and of those that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeAlias

import orjson

from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_scan import scan
from logintel.bus.topics import STATUS
from logintel.config.shared import KafkaBusConfig
from logintel.identity import seq_of

#: Versions of the records that are read.
VERSIONS: Final = frozenset({1})
#: Key → the partition and the newest value.
Reports: TypeAlias = dict[bytes, tuple[int, dict[str, Any]]]


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
    at: str
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


@dataclass(frozen=True, slots=True)
class EndedStreams:
    """The sums of streams of a source that have ended, and whose books were closed."""

    installation: str
    host: str
    source: str
    streams: int
    read: int
    acknowledged: int
    dropped: int
    dead_letters: int

    def plus(self, stream: SentStream) -> EndedStreams:
        """With one more."""
        sums = {name: getattr(self, name) + getattr(stream, name) for name in _SUMS}
        return replace(self, streams=self.streams + 1, **sums)


_SUMS: Final = ("read", "acknowledged", "dropped", "dead_letters")


def ended_of(reports: Reports, installation: str) -> dict[tuple[str, str], EndedStreams]:
    """(host, source) → what has ended there."""
    found = {}
    for _, value in reports.values():
        if value.get("kind") == "ended" and value.get("installation") == installation:
            total = EndedStreams(**{name: value[name] for name in EndedStreams.__slots__})
            found[total.host, total.source] = total
    return found


def ended_out(total: EndedStreams, at: str) -> Message:
    """For agent-status: key [installation, host, "ended", source]."""
    key = orjson.dumps([total.installation, total.host, "ended", total.source])
    return key, orjson.dumps({"v": 1, "kind": "ended", "at": at, **asdict(total)}), [("schema", b"1")]


async def read_reports(kafka: KafkaBusConfig, topic: str = STATUS.name) -> Reports:
    """Key → partition and newest value, of every record of a version that we know. Raises TimeoutError, KafkaError."""
    newest: Reports = {}
    async with aclosing(scan(kafka, topic)) as pages:
        async for page in pages:
            for record in page:
                value = _value_of(record.value)
                if value is not None:
                    newest[record.key] = (record.partition, value)
                elif record.value is None:
                    newest.pop(record.key, None)
    return newest


def streams_of(reports: Reports, installation: str) -> dict[bytes, SentStream]:
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
        value["at"],
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
