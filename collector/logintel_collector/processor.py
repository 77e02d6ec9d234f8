"""The processor: records of the bus to documents of the index. Drops repeats, keeps what it cannot decode. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, get_args

import orjson

from logintel.bus import Record, Stored
from logintel.dead_letter import DeadLetter
from logintel.event import Json, Level, decode
from logintel.identity import named_id
from logintel_collector.document import Document

_LEVELS: Final = frozenset((*get_args(Level), None))
_STAMP: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")
#: The category that a format stands for. One that carries anything (json, logfmt, text, container) says nothing.
_FORMAT_CATEGORIES: Final = {
    name: category
    for category, names in {
        "access": ("access", "elb", "haproxy", "squid", "w3c"),
        "application": ("erlang", "java", "jul", "monolog", "python", "ruby"),
        "audit": ("auditd",),
        "database": ("hana", "mongodb", "mysql", "mysql_slow", "postgresql", "redis"),
        "security": ("cef", "netfilter"),
        "system": ("syslog",),
    }.items()
    for name in names
}
#: The category that a source type stands for, where the format says nothing.
_SOURCE_CATEGORIES: Final = {"application": "application"}


@dataclass(frozen=True, slots=True)
class AcceptedRange:
    """Event dates that get an index of their own day, counted from now; the others share the outlier index."""

    past: timedelta = timedelta(days=3653)
    future: timedelta = timedelta(days=1)

    def days(self, now: datetime) -> tuple[str, str]:
        """The first and the last of them, `YYYY-MM-DD`; `now` in UTC."""
        floor, ceiling = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        past, future = max(self.past, timedelta()), max(self.future, timedelta())
        oldest = now - past if past < now - floor else floor
        newest = now + future if future < ceiling - now else ceiling
        return stamp(oldest)[:10], stamp(newest)[:10]


@dataclass(slots=True)
class Processed:
    """What a batch of records became: every record is a document, a dead letter or a repeat.

    records    the record of each document
    positions  the last seq of each stream of the batch; saved with the documents, so that a repeat is known
    """

    documents: list[Document] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    repeats: int = 0
    positions: dict[bytes, bytes] = field(default_factory=dict)


class Processor:
    """Makes documents. `clock` gives created_at; `config_version` names the configuration in dead letters."""

    def __init__(
        self, clock: Callable[[], datetime], accepted: AcceptedRange | None = None, config_version: str = ""
    ) -> None:
        self._clock = clock
        self._accepted = accepted or AcceptedRange()
        self._config_version = config_version

    def process(self, stored: Sequence[Stored], positions: Mapping[bytes, bytes]) -> Processed:
        """Documents of the records that are not above `positions` (stream → last seq) are left out as repeats."""
        now = self._clock().astimezone(UTC)
        created_at = stamp(now)
        first, last = self._accepted.days(now)
        result = Processed()
        reached = result.positions
        add, add_record = result.documents.append, result.records.append
        for _, record in stored:
            before = reached.get(record.stream) or positions.get(record.stream)
            if before is not None and record.seq <= before:
                result.repeats += 1
                continue
            reached[record.stream] = record.seq
            try:
                source = _source(record.value, created_at)
                body = orjson.dumps(source)
            except (ValueError, orjson.JSONEncodeError) as error:
                log_id = named_id("record", record.stream.hex(), record.seq.hex())
                result.dead_letters.append(self.dead_letter(log_id, "undecodable", str(error), record.value))
                continue
            day = str(source["timestamp"])[:10]
            add(Document(source, body, day.replace("-", ".") if first <= day <= last else None))
            add_record(record)
        return result

    def dead_letter(self, log_id: str, reason: str, error: str, original: bytes, attempts: int = 1) -> DeadLetter:
        """A dead letter of this stage, made now."""
        created_at = stamp(self._clock().astimezone(UTC))
        return DeadLetter(log_id, "processor", reason, error, attempts, original, self._config_version, created_at)


def stamp(moment: datetime) -> str:
    """UTC, 27 characters."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def category_of(metadata: Mapping[str, Json]) -> str | None:
    """What kind of log it is: as the agent says, as the format means, as the source type means; None: unknown."""
    said = metadata.get("category")
    if isinstance(said, str) and said:
        return said
    by_format = _FORMAT_CATEGORIES.get(str(metadata.get("format")))
    return by_format or _SOURCE_CATEGORIES.get(str(metadata.get("source_type")))


def _source(value: bytes, created_at: str) -> dict[str, Json]:
    """The document of an encoded event. Raises ValueError that names what is wrong, without content."""
    event = decode(value)
    raw = event["raw_log"]
    assert isinstance(raw, str)
    message, tags = event.get("message", raw), event.get("tags", [])
    metadata, parsed = event.get("metadata", {}), event.get("parsed_fields", {})
    if not (
        isinstance(message, str) and isinstance(tags, list) and isinstance(metadata, dict) and isinstance(parsed, dict)
    ):
        raise ValueError("'message' is not a text, 'tags' not a list, or 'metadata' or 'parsed_fields' not an object")
    level = event.get("level")
    if not (level is None or isinstance(level, str)) or level not in _LEVELS:
        raise ValueError("'level': expected DEBUG, INFO, WARN, ERROR, FATAL or null")
    if not all(isinstance(tag, str) for tag in tags):
        raise ValueError("'tags': expected a list of texts")
    return {
        "log_id": event["log_id"],
        "source_id": event["source_id"],
        "timestamp": _timestamp(str(event["timestamp"])),
        "level": level,
        "message": message,
        "raw_log": raw,
        "category": category_of(metadata),
        "tags": tags,
        "metadata": metadata,
        "parsed_fields": parsed,
        "size_bytes": len(raw) if raw.isascii() else len(raw.encode()),
        "processing_status": "processed",
        "created_at": created_at,
    }


def _timestamp(text: str) -> str:
    """The canonical form; other producers may send any ISO 8601 form (without a zone: UTC). Raises ValueError."""
    match = _STAMP.fullmatch(text)
    if match and _is_date(match[1]):
        return text
    try:
        moment = datetime.fromisoformat(text)
        return stamp(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError("'timestamp': expected an ISO 8601 date and time") from None


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
