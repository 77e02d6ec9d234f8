"""Re-entry: where the letters of each stage go on, under their events' ids: sent twice, each is there once.

Those of the processor go to log-ingestion once more; those of indexer and recorder straight to their store. No rule
counts any of them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TypeAlias

import orjson

from logintel.bus.kafka_forward import KafkaForward
from logintel.event import Json
from logintel.letter_box import Found, StaysHere
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.letters.record import record_of
from logintel_collector.processor import AcceptedRange
from logintel_collector.stores import elasticsearch, postgres
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry, is_id
from logintel_collector.stores.elasticsearch_indices import OUTLIERS, creating
from logintel_collector.stores.postgres_documents import TIMESTAMP, row_of
from logintel_collector.stores.postgres_entries import store
from logintel_collector.stores.postgres_partitions import make_partitions

Staying: TypeAlias = list[tuple[Found, str]]
_LATER: Final = "what was not sent is still here; try again later"


class Reentry:
    """What may go on, by `config` as it is now."""

    def __init__(self, config: CollectorConfig, forward: KafkaForward) -> None:
        self._stores, self._forward = config.stores, forward

    async def enter(self, found: Sequence[Found]) -> Staying:
        """Return when each has gone on, or stays, with why. Raises Refused where a server is away."""
        stay: Staying = []
        by_stage: dict[str, list[Found]] = {}
        for each in found:
            by_stage.setdefault(each.letter.stage, []).append(each)
        for stage, letters in by_stage.items():
            match stage:
                case "processor":
                    stay += await self._process(letters)
                case "indexer":
                    stay += await self._index(letters)
                case "recorder":
                    stay += await self._record(letters)
                case _:
                    why = f"stage {stage} is none of the collector's: `show` has the bytes"
                    stay += [(each, why) for each in letters]
        return stay

    async def close(self) -> None:
        """Let go, in bounded time."""
        await self._forward.close()

    async def _process(self, found: Sequence[Found]) -> Staying:
        stay: Staying = []
        for each in found:
            try:
                await self._forward(record_of(each.letter))
            except StaysHere as error:
                stay.append((each, str(error)))
        return stay

    async def _index(self, found: Sequence[Found]) -> Staying:
        config = self._stores.elasticsearch
        if config is None:
            raise Refused("letters of the indexer go to Elasticsearch: name it in stores.elasticsearch")
        stay: Staying = []
        entries: list[Entry] = []
        for each in found:
            try:
                entries.append(_entry(config.prefix, each))
            except StaysHere as error:
                stay.append((each, str(error)))
        try:
            async with elasticsearch.connected(config) as client:
                outcome = await BulkWriter(client).store(entries)
        except elasticsearch.ElasticsearchError as error:
            raise Refused(f"{error}: {_LATER}") from error
        return stay + [(one.original, f"the index refuses it again: {one.error}") for one in outcome.refused]

    async def _record(self, found: Sequence[Found]) -> Staying:
        config = self._stores.postgres
        if config is None:
            raise Refused("letters of the recorder go to PostgreSQL: name it in stores.postgres")
        stay: Staying = []
        rows, sources, places = [], set(), []
        for each in found:
            try:
                row, source = row_of(each.letter.original)
            except ValueError as error:
                stay.append((each, f"it makes no row: {error}"))
                continue
            rows.append(row)
            sources.add(source)
            places.append(each)
        try:
            async with postgres.connected(config, "deadletters") as connection:
                days = {row[TIMESTAMP].date() for row in rows if _is_accepted(row[TIMESTAMP])}
                await make_partitions(connection, days, datetime.now(UTC).date())
                refusals = await store(connection, rows, sources)
        except (TimeoutError, *postgres.ERRORS) as error:
            raise Refused(f"PostgreSQL: {postgres.explained(error)}: {_LATER}") from error
        return stay + [(places[one.place], f"the table refuses it again: {one.error}") for one in refusals]


def _entry(prefix: str, found: Found) -> Entry:
    """Raises StaysHere."""
    document: Json = None
    with suppress(ValueError):
        document = orjson.loads(found.letter.original)
    if not isinstance(document, dict):
        raise StaysHere("it is no JSON object, which is all that an index takes: `show --raw` has the bytes")
    log_id = str(document.get("log_id", "")).encode()
    if not is_id(log_id):
        raise StaysHere("it has no log_id to be stored under: `show --raw` has the bytes")
    action = b'%s%s"}}' % (creating(prefix, _day(document)), log_id)
    return Entry(action, orjson.dumps(document), found)


def _day(document: dict[str, Json]) -> str:
    """The index's day, as the processor chose it when it made the document."""
    created_at, timestamp = str(document.get("created_at")), str(document.get("timestamp"))
    try:
        first, last = AcceptedRange().days(datetime.fromisoformat(created_at).astimezone(UTC))
    except (ValueError, OverflowError):
        return OUTLIERS
    day = timestamp[:10]
    return day.replace("-", ".") if first <= day <= last else OUTLIERS


def _is_accepted(moment: datetime) -> bool:
    first, last = AcceptedRange().days(datetime.now(UTC))
    return first <= moment.date().isoformat() <= last
