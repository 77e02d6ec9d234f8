"""The indexer role: log-processing to Elasticsearch, each document under its log_id, its bytes as they are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import orjson
import structlog

from logintel.bus import topics
from logintel.bus.kafka_consumer import Consumed, GroupConsumer, PartitionBatch
from logintel.dead_letter import DeadLetter
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.processor import stamp
from logintel_collector.roles import RoleName
from logintel_collector.roles.dead_letters import DeadLetterSender
from logintel_collector.roles.group_role import GroupRole
from logintel_collector.roles.messages import log_id_of
from logintel_collector.roles.role import Role
from logintel_collector.stores.elasticsearch import connected
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_indices import OUTLIERS, creating, is_set_up

#: What Elasticsearch takes as an _id and JSON as it is; and a day. Nothing else from a record gets into an action line.
_ID: Final = re.compile(rb'[^\x00-\x1f"\\\x7f-\xff]{1,512}')
_DAY: Final = re.compile(rb"[0-9]{4}\.[0-9]{2}\.[0-9]{2}")
_log = structlog.get_logger(__name__)


class Place(NamedTuple):
    """A record and the partition where it was read."""

    partition: int
    record: Consumed


class IndexerRole(GroupRole):
    """`stored` documents are new, `repeats` were there, `mended` stored without a field, `dead_letters` not at all."""

    name: RoleName = "indexer"

    def __init__(
        self, config: CollectorConfig, topic: str = topics.PROCESSING.name, dead_letters: str = topics.DEAD_LETTERS.name
    ) -> None:
        assert config.bus.kafka is not None
        if config.stores.elasticsearch is None:
            raise Refused("role indexer needs stores.elasticsearch: add it, or leave the role out of `roles`")
        super().__init__(config.bus.kafka, topic, f"{config.installation}-indexer")
        self._elasticsearch = config.stores.elasticsearch
        self._letters = DeadLetterSender(config.bus.kafka, dead_letters)
        self._writer: BulkWriter | None = None
        self.stored = self.repeats = self.mended = self.dead_letters = 0

    def summary(self) -> dict[str, int]:
        """See Role."""
        counts = {name: getattr(self, name) for name in ("stored", "repeats", "mended", "dead_letters")}
        return {**super().summary(), **counts}

    async def run(self, stop: asyncio.Event) -> None:
        """See Role. Raises Refused where nobody has set the indices up: Elasticsearch would guess their mapping."""
        async with connected(self._elasticsearch) as client:
            if not await is_set_up(client):
                raise Refused(f"{client.at} has no template of our indices: run `logintel collector setup`")
            self._writer = BulkWriter(client)
            try:
                await super().run(stop)
            finally:
                await self._letters.close()

    async def prepare(self, consumer: GroupConsumer) -> None:
        """See GroupRole: there is nothing to hold between two reads."""

    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:
        """See GroupRole."""
        assert self._writer is not None
        entries, letters = self._entries(batches)
        outcome = await self._writer.store(entries)
        letters += [
            self._letter(refusal.original, refusal.reason, refusal.error, refusal.attempts)
            for refusal in outcome.refused
        ]
        await self._letters.send(letters)
        await consumer.commit({batch.partition: batch.records[-1].offset + 1 for batch in batches})
        self._count(outcome.stored, outcome.repeats, len(outcome.mended), letters)
        self.progress.done += sum(len(batch.records) for batch in batches)

    async def release(self) -> None:
        """See GroupRole: what is not committed the next owner stores again, under the same ids."""

    def _entries(self, batches: Iterable[PartitionBatch]) -> tuple[list[Entry], list[DeadLetter]]:
        entries: list[Entry] = []
        letters: list[DeadLetter] = []
        prefix, known = self._elasticsearch.prefix, _ID.fullmatch
        for batch in batches:
            for record in batch.records:
                headers = dict(record.headers)
                log_id, body = headers.get("log_id", b""), record.value
                if body is None or not known(log_id):
                    error = "expected a value and a header log_id of 1 to 512 printable ASCII characters"
                    letters.append(self._letter(Place(batch.partition, record), "unidentified", error))
                    continue
                if b"\n" in body and (body := _one_line(body)) is None:
                    error = "the value is not JSON"
                    letters.append(self._letter(Place(batch.partition, record), "undecodable", error))
                    continue
                day = headers.get("day", b"")
                action = creating(prefix, day.decode() if _DAY.fullmatch(day) else OUTLIERS, log_id)
                entries.append(Entry(action, body, Place(batch.partition, record)))
        return entries, letters

    def _letter(self, place: Place, reason: str, error: str, attempts: int = 1) -> DeadLetter:
        record = place.record
        header = dict(record.headers).get("log_id", b"")
        log_id = header.decode() if _ID.fullmatch(header) else log_id_of(record, self.topic, place.partition)
        original, created_at = record.value or b"", stamp(datetime.now(UTC))
        return DeadLetter(log_id, "indexer", reason, error, attempts, original, "", created_at)

    def _count(self, stored: int, repeats: int, mended: int, letters: list[DeadLetter]) -> None:
        self.stored += stored
        self.repeats += repeats
        self.mended += mended
        self.dead_letters += len(letters)
        for letter in letters:
            _log.warning("dead_letter", stage="indexer", log_id=letter.log_id, reason=letter.reason, error=letter.error)


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused."""
    return IndexerRole(config)


def _one_line(body: bytes) -> bytes | None:
    """JSON of several lines in one; None: it is no JSON."""
    try:
        return orjson.dumps(orjson.loads(body))
    except ValueError:
        return None
