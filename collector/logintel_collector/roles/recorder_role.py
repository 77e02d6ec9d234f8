"""The recorder role: log-processing to PostgreSQL, a row of log_entries for each document, and its source."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import asyncpg
import structlog

from logintel.bus import topics
from logintel.bus.kafka_consumer import Consumed, GroupConsumer, PartitionBatch
from logintel.dead_letter import DeadLetter
from logintel_collector.config import CollectorConfig
from logintel_collector.processor import stamp
from logintel_collector.roles import RoleName
from logintel_collector.roles.dead_letters import DeadLetterSender
from logintel_collector.roles.group_role import GroupRole
from logintel_collector.roles.messages import log_id_of
from logintel_collector.roles.role import Role
from logintel_collector.stores import postgres
from logintel_collector.stores.postgres_entries import Row, row_of, store
from logintel_collector.stores.postgres_partitions import make_partitions

_log = structlog.get_logger(__name__)


class Place(NamedTuple):
    """A record and the partition where it was read."""

    partition: int
    record: Consumed


class RecorderRole(GroupRole):
    """`dead_letters`: how many documents of this run PostgreSQL did not take."""

    name: RoleName = "recorder"

    def __init__(
        self, config: CollectorConfig, topic: str = topics.PROCESSING.name, dead_letters: str = topics.DEAD_LETTERS.name
    ) -> None:
        """Raises Refused."""
        assert config.bus.kafka is not None
        super().__init__(config.bus.kafka, topic, f"{config.installation}-recorder")
        self.dead_letters = 0
        self._postgres = postgres.required(config, self.name)
        self._letters = DeadLetterSender(config.bus.kafka, dead_letters)
        self._connection: asyncpg.Connection | None = None
        self._days: set[date] = set()

    def summary(self) -> dict[str, int]:
        """See Role."""
        return {**super().summary(), "dead_letters": self.dead_letters}

    async def run(self, stop: asyncio.Event) -> None:
        """See Role. Raises Refused where nobody has set the tables up."""
        async with postgres.connected(self._postgres, self.name) as connection:
            await postgres.require_current(connection)
            self._connection = connection
            self._days.clear()
            try:
                await super().run(stop)
            finally:
                await self._letters.close()

    async def prepare(self, consumer: GroupConsumer) -> None:
        """See GroupRole: there is nothing to hold between two reads."""

    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:
        """See GroupRole."""
        assert self._connection is not None
        rows, letters = self._rows(batches)
        await self._make_partitions(rows)
        refusals = await store(self._connection, rows)
        letters += [self._letter(refusal.origin, "refused", refusal.error) for refusal in refusals]
        await self._letters.send(letters)
        await consumer.commit({batch.partition: batch.records[-1].offset + 1 for batch in batches})
        self._count(letters)
        self.progress.done += sum(len(batch.records) for batch in batches)

    async def release(self) -> None:
        """See GroupRole: what is not committed the next owner stores again, and finds it there."""

    def _rows(self, batches: Iterable[PartitionBatch]) -> tuple[list[Row], list[DeadLetter]]:
        rows: dict[uuid.UUID, Row] = {}
        letters: list[DeadLetter] = []
        for batch in batches:
            for record in batch.records:
                place = Place(batch.partition, record)
                try:
                    row = row_of(record.value or b"", place)
                except ValueError as error:
                    letters.append(self._letter(place, "undecodable", str(error)))
                else:
                    rows[row.values[0]] = row
        return list(rows.values()), letters

    async def _make_partitions(self, rows: Sequence[Row]) -> None:
        """Of the days inside the accepted range, which the processor has judged: a record with a day has one."""
        days = {row.timestamp.date() for row in rows if _has_day(row.origin.record)} - self._days
        if days:
            assert self._connection is not None
            made = await make_partitions(self._connection, days, datetime.now(UTC).date())
            self._days |= days
            if made:
                _log.info("partitions_made", tables=[partition.name for partition in made])

    def _letter(self, place: Place, reason: str, error: str) -> DeadLetter:
        log_id = log_id_of(place.record, self.topic, place.partition)
        original, created_at = place.record.value or b"", stamp(datetime.now(UTC))
        return DeadLetter(log_id, "recorder", reason, error, 1, original, "", created_at)

    def _count(self, letters: Sequence[DeadLetter]) -> None:
        self.dead_letters += len(letters)
        for letter in letters:
            _log.warning(
                "dead_letter", stage="recorder", log_id=letter.log_id, reason=letter.reason, error=letter.error
            )


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused."""
    return RecorderRole(config)


def _has_day(record: Consumed) -> bool:
    return any(name == "day" and value for name, value in record.headers)
