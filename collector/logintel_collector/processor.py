"""The processor: records of the bus to documents of the index. Drops repeats, enriches, keeps what it cannot decode."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from logintel.bus import Record, Stored
from logintel.dead_letter import DeadLetter
from logintel.event import Json, decode
from logintel.identity import named_id
from logintel_collector.categories import category_of
from logintel_collector.document import Document, check_shape
from logintel_collector.enrichment.outcome import Withheld

if TYPE_CHECKING:
    from logintel_collector.enrichment.enrichment import Enrichment

_MILLISECOND: Final = timedelta(milliseconds=1)
#: For documents of which nobody looks at created_at.
_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
#: Of texts in UTC without their zone: with it, a difference takes twice as long.
_naive: Final = datetime.fromisoformat
_STAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")
#: Records that are enriched together: so many at most, and so many bytes and one record more.
_BATCH: Final = 256
_BATCH_BYTES: Final = 1 << 20
#: The document's source, its date and the record it is of.
_Decoded: TypeAlias = "tuple[dict[str, Json], str, Record]"


class Arrival(NamedTuple):
    """When documents are made: as created_at has it, and in UTC without its zone."""

    stamp: str
    moment: datetime

    @classmethod
    def at(cls, now: datetime) -> Arrival:
        """`now` in UTC."""
        return cls(stamp(now), now.replace(tzinfo=None))


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
    unenriched events that an enricher failed on and that went on without it
    positions  the last seq of each stream of the batch; saved with the documents, so that a repeat is known
    """

    dead_letters: list[DeadLetter] = field(default_factory=list)
    repeats: int = 0
    replays: int = 0
    unenriched: int = 0
    positions: dict[bytes, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Processed(Account):
    """What a batch of records became, with its documents."""

    documents: list[Document] = field(default_factory=list)


class Processor:
    """Makes documents. `clock` gives created_at; `config_version` names the configuration in dead letters."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        accepted: AcceptedRange | None = None,
        config_version: str = "",
        enrichment: Enrichment | None = None,
    ) -> None:
        self._clock = clock
        self._accepted = accepted or AcceptedRange()
        self._config_version = config_version
        self._enrichment = enrichment

    async def prepare(self, values: Iterable[bytes]) -> None:
        """Have fetched what the enrichment of these records needs from a network; bounded, and mostly nothing."""
        if self._enrichment and self._enrichment.prepares:
            await self._enrichment.prepare(_decodable(values))

    def process(self, stored: Sequence[Stored], positions: Mapping[bytes, bytes]) -> Processed:
        """All documents of a batch at once; otherwise like `documents`."""
        result = Processed()
        records = (record for _, record in stored)
        result.documents = [document for document, _ in self.documents(records, positions, result)]
        return result

    def documents(
        self, records: Iterable[Record], positions: Mapping[bytes, bytes], account: Account
    ) -> Iterator[tuple[Document, Record]]:
        """The documents, each with its record, a few at a time: who lets go of them needs little memory.

        Those of records that are not above `positions` (stream → last seq) are left out as repeats. The account is
        complete at the end.
        """
        now = self._clock().astimezone(UTC)
        arrival = Arrival.at(now)
        days = _Days(*self._accepted.days(now))
        reached = account.positions
        batch: list[_Decoded] = []
        room = _BATCH_BYTES
        for record in records:
            value, stream, seq = record
            before = reached.get(stream) or positions.get(stream)
            if before is not None and seq <= before:
                account.repeats += 1
                continue
            reached[stream] = seq
            try:
                batch.append((*document_of(value, arrival), record))
            except ValueError as error:
                account.dead_letters.append(self._undecodable(record, error))
                continue
            room -= len(value)
            if len(batch) >= _BATCH or room < 0:
                yield from self._documents(batch, arrival, days, account)
                batch, room = [], _BATCH_BYTES
        yield from self._documents(batch, arrival, days, account)

    def _documents(
        self, batch: list[_Decoded], arrival: Arrival, days: _Days, account: Account
    ) -> Iterator[tuple[Document, Record]]:
        """The documents of what is decoded, enriched."""
        if self._enrichment:
            yield from self._enriched(self._enrichment, batch, arrival, days, account)
            return
        for source, date, record in batch:
            try:
                body = orjson.dumps(source)
            except orjson.JSONEncodeError as error:
                account.dead_letters.append(self._undecodable(record, error))
                continue
            yield Document(source, body, days[date]), record

    def _enriched(
        self, enrichment: Enrichment, batch: list[_Decoded], arrival: Arrival, days: _Days, account: Account
    ) -> Iterator[tuple[Document, Record]]:
        sources = [source for source, _, _ in batch]
        outcomes = enrichment.enrich(sources, lambda place: document_of(batch[place][2].value, arrival)[0])
        account.unenriched += outcomes.unenriched
        for source, (_, date, record), body in zip(sources, batch, outcomes.bodies, strict=True):
            if isinstance(body, Withheld):
                letter = self.dead_letter(str(source["log_id"]), body.reason, str(body), record)
                account.dead_letters.append(letter)
            elif isinstance(body, Exception):
                account.dead_letters.append(self._undecodable(record, body))
            else:
                yield Document(source, body, days[date]), record

    def _undecodable(self, record: Record, error: Exception) -> DeadLetter:
        log_id = named_id("record", record.stream.hex(), record.seq.hex())
        return self.dead_letter(log_id, "undecodable", str(error), record)

    def replay(self, record: Record, account: Account) -> Iterator[tuple[Document, Record]]:
        """The document of a dead letter that is sent once more, wherever its stream is now. It moves no position."""
        alone = Account()
        yield from self.documents([record], {}, alone)
        account.dead_letters += alone.dead_letters
        account.unenriched += alone.unenriched
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


class _Days(dict[str, str | None]):
    """Date, `YYYY-MM-DD` → the index's day; None: outside the accepted range."""

    def __init__(self, first: str, last: str) -> None:
        super().__init__()
        self._first, self._last = first, last

    def __missing__(self, date: str) -> str | None:
        day = self[date] = date.replace("-", ".") if self._first <= date <= self._last else None
        return day


def _decodable(values: Iterable[bytes]) -> Iterator[dict[str, Json]]:
    arrival = Arrival.at(_SOME_TIME)
    for value in values:
        with suppress(ValueError):
            yield document_of(value, arrival)[0]


def document_of(value: bytes, arrival: Arrival) -> tuple[dict[str, Json], str]:
    """The document of an encoded event, and its date. Raises ValueError that names what is wrong, without content."""
    event: dict[str, Any] = decode(value)
    check_shape(event)
    raw, message, level, tags = event["raw_log"], event["message"], event["level"], event["tags"]
    metadata, parsed = event["metadata"], event["parsed_fields"]
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
        "latency_ms": (arrival.moment - _naive(timestamp[:-1])) // _MILLISECOND,
        "processing_status": "processed",
        "created_at": arrival.stamp,
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
