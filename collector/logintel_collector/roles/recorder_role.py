"""The recorder role: log-processing to PostgreSQL, a row of log_entries for each document, and its source."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, TypeAlias

import asyncpg
import structlog

from logintel.bus import topics
from logintel.bus.kafka_consumer import Consumed, GroupConsumer, PartitionBatch
from logintel.config.version import config_version
from logintel.dead_letter import DeadLetter
from logintel_collector.config import CollectorConfig
from logintel_collector.roles import RoleName
from logintel_collector.roles.dead_letters import DeadLetterSender, LetterWriter
from logintel_collector.roles.group_role import GroupRole
from logintel_collector.roles.messages import DAY, header, log_id_of
from logintel_collector.roles.role import Role
from logintel_collector.stores import postgres
from logintel_collector.stores.postgres_documents import Row, Source, row_of
from logintel_collector.stores.postgres_entries import store
from logintel_collector.stores.postgres_partitions import make_partitions

#: Seconds until partitions are tried again that somebody's lock on log_entries has kept from being made.
_RETRY: Final = 60.0
_log = structlog.get_logger(__name__)

#: The partition where a record was read, and the record.
Place: TypeAlias = tuple[int, Consumed]


@dataclass(slots=True)
class Step:
    """What was read at once: rows, the place of each, the sources that they name, and their headers `day`."""

    rows: list[Row] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    sources: set[Source] = field(default_factory=set)
    days: set[bytes] = field(default_factory=set)

    def add(self, partition: int, record: Consumed) -> None:
        """Raises ValueError: the record is no document."""
        row, source = row_of(record.value or b"")
        self.rows.append(row)
        self.places.append((partition, record))
        self.sources.add(source)
        self.days.add(header(record, DAY, "day"))

    def partitions(self) -> set[date]:
        """The days that have a partition: the processor has judged which are inside the accepted range."""
        return {day for day in map(_date, self.days) if day is not None}


class RecorderRole(GroupRole):
    """`dead_letters`: how many documents of this run PostgreSQL did not take."""

    name: RoleName = "recorder"

    def __init__(
        self,
        config: CollectorConfig,
        topic: str = topics.PROCESSING.name,
        dead_letters: str = topics.DEAD_LETTERS.name,
        ledger: str = topics.LEDGER.name,
    ) -> None:
        """Raises Refused."""
        assert config.bus.kafka is not None
        super().__init__(config.bus.kafka, topic, f"{config.installation}-recorder", ledger)
        self._letter = LetterWriter("recorder", config_version(config))
        self.dead_letters = 0
        self._postgres = postgres.required(config, self.name)
        self._letters = DeadLetterSender(config.bus.kafka, dead_letters)
        self._connection: asyncpg.Connection | None = None
        self._days: set[date] = set()
        self._not_before = 0.0

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
        step, letters = self._step_of(batches)
        await self._make_partitions(step.partitions())
        refusals = await store(self._connection, step.rows, step.sources)
        letters += [self._refused(step.places[refusal.place], "refused", refusal.error) for refusal in refusals]
        await self._letters.send(letters)
        await consumer.commit({batch.partition: batch.records[-1].offset + 1 for batch in batches})
        self._count(letters)
        self.progress.done += sum(len(batch.records) for batch in batches)

    async def release(self) -> None:
        """See GroupRole: what is not committed the next owner stores again, and finds it there."""

    def _step_of(self, batches: Iterable[PartitionBatch]) -> tuple[Step, list[DeadLetter]]:
        step, letters = Step(), []
        for batch in batches:
            for record in batch.records:
                try:
                    step.add(batch.partition, record)
                except ValueError as error:
                    letters.append(self._refused((batch.partition, record), "undecodable", str(error)))
        return step, letters

    async def _make_partitions(self, days: set[date]) -> None:
        """Where they cannot be made now, the default partition takes the rows, and whoever makes them moves those."""
        days = days - self._days
        if not days or self.progress.now() < self._not_before:
            return
        try:
            made = await make_partitions(self._connection, days, datetime.now(UTC).date())
        except asyncpg.LockNotAvailableError:
            self._not_before = self.progress.now() + _RETRY
            _log.warning("partitions_not_made", days=len(days), reason="log_entries is locked", effect="made later")
            return
        self._days |= days
        if made:
            _log.info("partitions_made", tables=[partition.name for partition in made])

    def _refused(self, place: Place, reason: str, error: str) -> DeadLetter:
        partition, record = place
        return self._letter.of(record, log_id_of(record, self.topic, partition), reason, error)

    def _count(self, letters: Sequence[DeadLetter]) -> None:
        self.dead_letters += len(letters)
        for letter in letters:
            _log.warning(
                "dead_letter", stage="recorder", log_id=letter.log_id, reason=letter.reason, error=letter.error
            )


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused."""
    return RecorderRole(config)


def _date(day: bytes) -> date | None:
    """None: an outlier's empty one, or none of ours; such rows are in the default partition."""
    try:
        return datetime.strptime(day.decode("ascii"), "%Y.%m.%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
