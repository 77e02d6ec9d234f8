"""The alerter role: log-processing through the rules; window state, offsets, alerts and outbox in one transaction.

One process reads all partitions, since a rule's group may span them. Its lease keeps a second one out, and keeps one
that slept past it from writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

import asyncpg
import orjson
import structlog

from logintel.bus import topics
from logintel.bus.kafka_assigned import AssignedConsumer
from logintel.bus.kafka_consumer import PartitionBatch
from logintel.config.problem import Misconfigured
from logintel.event import Json
from logintel_collector.alert import Changes
from logintel_collector.alerter import Alerter
from logintel_collector.config import CollectorConfig
from logintel_collector.document import Document
from logintel_collector.roles import RoleName, reader_of
from logintel_collector.roles.gaps import GapLedger
from logintel_collector.roles.group_role import STEP
from logintel_collector.roles.messages import HEADERS, is_replay
from logintel_collector.roles.role import Role
from logintel_collector.rules.loading import load_rules
from logintel_collector.rules.rule import Rule
from logintel_collector.stores import postgres, postgres_alerts
from logintel_collector.stores.postgres_documents import Source, source_of
from logintel_collector.stores.postgres_entries import save_sources
from logintel_collector.stores.postgres_lease import Lease

#: Seconds that a read waits for records.
_WAIT: Final = 0.5
#: Seconds between looks for alerts that are over; each renews the lease, as every step does.
SETTLE_EVERY: Final = 3.0
#: Sources that are remembered; when there are more, all are forgotten and those that come are noted again.
_SOURCES: Final = 10_000
Clock: TypeAlias = Callable[[], datetime]
_log = structlog.get_logger(__name__)


class AlerterRole(Role):
    """`alerts` of this run, new or changed; `skipped`: records that are no documents, which the indexer keeps."""

    name: RoleName = "alerter"

    def __init__(
        self,
        config: CollectorConfig,
        topic: str = topics.PROCESSING.name,
        clock: Clock = lambda: datetime.now(UTC),
        ledger: str = topics.LEDGER.name,
    ) -> None:
        """`clock` answers in UTC. Raises Refused, Misconfigured."""
        assert config.bus.kafka is not None
        super().__init__()
        self.alerts = self.skipped = 0
        self._kafka, self._topic = config.bus.kafka, topic
        self._reader = reader_of(config.installation)
        self._gaps = GapLedger(config.bus.kafka, self._reader, self.progress, ledger)
        self._postgres = postgres.required(config, self.name)
        self._clock = clock
        self._rules = _rules(config, clock)
        #: Those that documents have named: what is stored of an alert's source, where the recorder has not met it yet.
        self._sources: dict[str, Source] = {}

    def summary(self) -> dict[str, int]:
        """See Role."""
        return {**super().summary(), "alerts": self.alerts, "skipped": self.skipped}

    async def run(self, stop: asyncio.Event) -> None:
        """See Role. Raises Refused where another alerter is at work, or nobody has set the tables up."""
        async with postgres.connected(self._postgres, self.name) as connection:
            await postgres.require_current(connection)
            lease = await Lease.take(connection, self._reader)
            try:
                await self._work(connection, lease, stop)
            finally:
                await lease.release(connection)

    async def _work(self, connection: asyncpg.Connection, lease: Lease, stop: asyncio.Event) -> None:
        async with connection.transaction():
            await lease.renew(connection)
            await postgres_alerts.save_rules(connection, self._rules)
            states, alerts = (
                await postgres_alerts.rule_states(connection),
                await postgres_alerts.open_alerts(connection),
            )
            offsets = await postgres_alerts.offsets(connection, self._reader, self._topic)
        alerter = Alerter(self._rules, states, alerts, self._clock)
        consumer = AssignedConsumer(self._kafka, self._topic, offsets, self._gaps.note)
        try:
            await consumer.start()
            settled = self.progress.now()
            while not stop.is_set():
                asked = self.progress.now()
                batches = await consumer.read(STEP, _WAIT)
                if batches:
                    await self._take(connection, lease, alerter, batches)
                self.progress.trouble = None
                is_time = asked - settled > SETTLE_EVERY
                if batches and not is_time:
                    continue
                lag = await consumer.lag()
                self.progress.saw(lag, asked)
                if is_time and lag < STEP:  # what still waits may be what an alert goes on with
                    settled = asked
                    await self._save(connection, lease, alerter.settle(), {})
        finally:
            await consumer.stop()
            await self._gaps.close()

    async def _take(
        self, connection: asyncpg.Connection, lease: Lease, alerter: Alerter, batches: Sequence[PartitionBatch]
    ) -> None:
        if len(self._sources) > _SOURCES:
            self._sources.clear()
        changes = alerter.evaluate(self._documents(batches))
        reached = {batch.partition: batch.records[-1].offset + 1 for batch in batches}
        await self._save(connection, lease, changes, reached)
        self.progress.done += sum(len(batch.records) for batch in batches)

    async def _save(
        self,
        connection: asyncpg.Connection,
        lease: Lease,
        changes: Changes,
        reached: dict[int, int],
    ) -> None:
        """All or nothing. After an error the alerter has moved on and must not be used any more."""
        async with connection.transaction():
            await lease.renew(connection)
            wanted = {alert.source_id for alert in changes.alerts}
            await save_sources(connection, [found for name, found in self._sources.items() if name in wanted])
            await postgres_alerts.save_changes(connection, changes)
            await postgres_alerts.save_offsets(connection, self._reader, self._topic, reached, lease.epoch)
        self.alerts += len(changes.alerts)

    def _documents(self, batches: Sequence[PartitionBatch]) -> Iterator[Document]:
        for batch in batches:
            for record in batch.records:
                if len(record.headers) > HEADERS and is_replay(record):
                    continue
                body = record.value or b""
                source = self._decoded(body)
                if source is None:
                    self.skipped += 1
                    _log.warning("document_skipped", partition=batch.partition, offset=record.offset)
                else:
                    yield Document(source, body)

    def _decoded(self, body: bytes) -> dict[str, Json] | None:
        """The document; None: it is none of ours."""
        try:
            source = orjson.loads(body)
            name = source["source_id"]
            if name not in self._sources:
                self._sources[name] = source_of(source)
            placed = datetime.fromisoformat(source["timestamp"]).tzinfo is not None
            return source if placed and source["log_id"].__class__ is str else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused, Misconfigured."""
    return AlerterRole(config)


def _rules(config: CollectorConfig, clock: Clock) -> list[Rule]:
    if config.rules_dir is None:
        return []
    rules, problems = load_rules(config.rules_dir, config.installation, clock)
    if problems:
        raise Misconfigured(problems)
    return rules
