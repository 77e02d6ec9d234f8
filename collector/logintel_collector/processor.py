"""The processor: records of the bus to documents of the index. Drops repeats, keeps what it cannot decode. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, get_args

import orjson

from logintel.bus import Record, Stored
from logintel.dead_letter import DeadLetter
from logintel.event import Json, Level, decode
from logintel.identity import named_id
from logintel_collector.document import Document

_LEVELS: Final = frozenset((*get_args(Level), None))
_LEVEL_TYPES: Final = (str, type(None))
_STAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")
#: The category that a format stands for. One that carries anything (json, logfmt, text, container) says nothing.
_FORMAT_CATEGORIES: Final = {
    name: category
    for category, names in {
        "access": ("access", "elb", "haproxy", "sap-icm", "squid", "w3c"),
        "application": ("erlang", "java", "jul", "monolog", "python", "ruby", "sap-java", "sap-trace"),
        "audit": ("auditd", "hana-audit", "sap-audit"),
        "database": ("hana", "mongodb", "mysql", "mysql_slow", "postgresql", "redis"),
        "security": ("cef", "netfilter"),
        "system": ("sap-gateway", "sap-router", "syslog"),
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
class Account:
    """What else a batch of records became: every one that is no document is a dead letter or a repeat.

    replays    dead letters that were sent once more, whatever they became
    positions  the last seq of each stream of the batch; saved with the documents, so that a repeat is known
    """

    dead_letters: list[DeadLetter] = field(default_factory=list)
    repeats: int = 0
    replays: int = 0
    positions: dict[bytes, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Processed(Account):
    """What a batch of records became, with its documents."""

    documents: list[Document] = field(default_factory=list)


class Processor:
    """Makes documents. `clock` gives created_at; `config_version` names the configuration in dead letters."""

    def __init__(
        self, clock: Callable[[], datetime], accepted: AcceptedRange | None = None, config_version: str = ""
    ) -> None:
        self._clock = clock
        self._accepted = accepted or AcceptedRange()
        self._config_version = config_version

    def process(self, stored: Sequence[Stored], positions: Mapping[bytes, bytes]) -> Processed:
        """All documents of a batch at once; otherwise like `documents`."""
        result = Processed()
        records = (record for _, record in stored)
        result.documents = [document for document, _ in self.documents(records, positions, result)]
        return result

    def documents(
        self, records: Iterable[Record], positions: Mapping[bytes, bytes], account: Account
    ) -> Iterator[tuple[Document, Record]]:
        """The documents, each with its record, one at a time: who lets go of one before the next needs little memory.

        Those of records that are not above `positions` (stream → last seq) are left out as repeats. The account is
        complete at the end.
        """
        now = self._clock().astimezone(UTC)
        created_at = stamp(now)
        days = _Days(*self._accepted.days(now))
        reached = account.positions
        for record in records:
            value, stream, seq = record
            before = reached.get(stream) or positions.get(stream)
            if before is not None and seq <= before:
                account.repeats += 1
                continue
            reached[stream] = seq
            try:
                source, date = _source(value, created_at)
                body = orjson.dumps(source)
            except (ValueError, orjson.JSONEncodeError) as error:
                log_id = named_id("record", stream.hex(), seq.hex())
                account.dead_letters.append(self.dead_letter(log_id, "undecodable", str(error), record))
                continue
            yield Document(source, body, days[date]), record

    def replay(self, record: Record, account: Account) -> Iterator[tuple[Document, Record]]:
        """The document of a dead letter that is sent once more, wherever its stream is now. It moves no position."""
        alone = Account()
        yield from self.documents([record], {}, alone)
        account.dead_letters += alone.dead_letters
        account.replays += 1

    def dead_letter(
        self, log_id: str, reason: str, error: str, original: Record | bytes, attempts: int = 1
    ) -> DeadLetter:
        """A dead letter of this stage, made now, of a record or of the bytes of something that is none."""
        value, *place = original if isinstance(original, Record) else (original,)
        created_at = stamp(self._clock().astimezone(UTC))
        version = self._config_version
        return DeadLetter(log_id, "processor", reason, error, attempts, value, version, created_at, *place)


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


class _Days(dict[str, str | None]):
    """Date, `YYYY-MM-DD` → the index's day; None: outside the accepted range."""

    def __init__(self, first: str, last: str) -> None:
        super().__init__()
        self._first, self._last = first, last

    def __missing__(self, date: str) -> str | None:
        day = self[date] = date.replace("-", ".") if self._first <= date <= self._last else None
        return day


def _source(value: bytes, created_at: str) -> tuple[dict[str, Json], str]:
    """The document of an encoded event, and its date. Raises ValueError that names what is wrong, without content."""
    event: dict[str, Any] = decode(value)
    raw, message, level, tags = event["raw_log"], event["message"], event["level"], event["tags"]
    metadata, parsed = event["metadata"], event["parsed_fields"]
    # `decode` gives JSON's own types, which are compared in a third of what isinstance takes.
    if not (message.__class__ is str and metadata.__class__ is parsed.__class__ is dict):
        raise ValueError("expected 'message' to be a text, 'metadata' and 'parsed_fields' objects")
    if tags.__class__ is not list or (tags and not all(tag.__class__ is str for tag in tags)):
        raise ValueError("'tags': expected a list of texts")
    if level.__class__ not in _LEVEL_TYPES or level not in _LEVELS:
        raise ValueError("'level': expected DEBUG, INFO, WARN, ERROR, FATAL or null")
    timestamp = _timestamp(event["timestamp"])
    source = {
        "log_id": event["log_id"],
        "source_id": event["source_id"],
        "timestamp": timestamp,
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
    return source, timestamp[:10]


def _timestamp(text: str) -> str:
    """The canonical form; other producers may send any ISO 8601 form (without a zone: UTC). Raises ValueError."""
    if _STAMP.fullmatch(text) and _is_date(text[:10]):
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
