"""The processor role: log-ingestion to log-processing, each event exactly once, whoever dies or sleeps on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from logintel.bus.kafka_consumer import Consumed, Gap, GroupConsumer, PartitionBatch
from logintel.config.version import config_version
from logintel.hooks import load_plugins
from logintel_collector.config import CollectorConfig
from logintel_collector.enrichment.building import enrichment_of
from logintel_collector.processor import Account, Processor
from logintel_collector.roles import RoleName
from logintel_collector.roles.group_role import STEP, GroupRole
from logintel_collector.roles.processor_lane import Lane, Route, group_of
from logintel_collector.roles.role import Role
from logintel_collector.roles.transactions import Poisoned

#: Seconds between looks for streams that can be forgotten.
_FORGET_EVERY: Final = 600.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Caution:
    """How carefully the next records of a partition are tried: after two aborted transactions in halves.

    most       records in the next transaction
    aborted    transactions that were aborted with that many
    condemned  (offset, error) of a record that was aborted alone
    """

    most: int = STEP
    aborted: int = 0
    condemned: tuple[int, str] | None = None

    def failed(self, tried: Sequence[Consumed], error: str) -> None:
        """A transaction of the records `tried` was aborted."""
        self.aborted += 1
        if self.aborted < 2 and self.most == STEP:
            return
        self.aborted = 0
        if len(tried) == 1:
            self.most, self.condemned = 1, (tried[0].offset, error)
        else:
            self.most = len(tried) // 2

    def worked(self) -> None:
        """A transaction was committed: what made the last one fail is behind it."""
        self.aborted, self.condemned = 0, None
        self.most = min(2 * self.most, STEP)


class ProcessorRole(GroupRole):
    """Holds one lane for each of its partitions.

    repeats, dead_letters  how many records of this run became none and dead letters
    """

    name: RoleName = "processor"

    def __init__(self, config: CollectorConfig, processor: Processor, route: Route) -> None:
        assert config.bus.kafka is not None
        super().__init__(config.bus.kafka, route.ingestion, group_of(config.installation), route.ledger)
        self.repeats = self.dead_letters = self.unenriched = 0
        self._installation, self._processor, self._route = config.installation, processor, route
        self._lanes: dict[int, Lane] = {}
        self._cautions: dict[int, Caution] = {}
        self._forgot = time.monotonic()

    def summary(self) -> dict[str, int]:
        """See Role."""
        return {
            **super().summary(),
            "repeats": self.repeats,
            "dead_letters": self.dead_letters,
            "unenriched": self.unenriched,
        }

    async def prepare(self, consumer: GroupConsumer) -> None:
        """See GroupRole."""
        missing = consumer.assigned - self._lanes.keys()
        if missing:
            await _all(self._start(consumer, partition) for partition in sorted(missing))
        if time.monotonic() - self._forgot > _FORGET_EVERY:
            self._forgot = time.monotonic()
            for lane in self._lanes.values():
                await lane.forget_idle()

    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:
        """See GroupRole."""
        await _all(self._take(consumer, batch) for batch in batches if batch.partition in self._lanes)

    async def on_gap(self, gap: Gap) -> None:
        """See GroupRole. In a topic that was made anew offsets begin again, below those that are done."""
        await super().on_gap(gap)
        if gap.partition in self._lanes:
            self._lanes[gap.partition].next = gap.continued_from

    async def release(self) -> None:
        """See GroupRole."""
        lanes, self._lanes = self._lanes, {}
        await _all(lane.close() for lane in lanes.values())

    async def _start(self, consumer: GroupConsumer, partition: int) -> None:
        lane = await self._open(consumer, partition)
        consumer.seek(partition, lane.next)

    async def _open(self, consumer: GroupConsumer, partition: int) -> Lane:
        async def committed(number: int) -> int:
            offset = await consumer.committed(number)
            if offset is None:
                offset = await consumer.beginning(number)
                await consumer.report(number, None, offset)
            return offset

        lane = await Lane.open(self.kafka, self._installation, partition, self._route, committed)
        self._lanes[partition] = lane
        return lane

    async def _take(self, consumer: GroupConsumer, batch: PartitionBatch) -> None:
        lane, caution = self._lanes[batch.partition], self._cautions.setdefault(batch.partition, Caution())
        records = batch.records
        while records := [record for record in records if record.offset >= lane.next]:
            tried = records[: caution.most]
            try:
                self._count(await self._one(lane, tried, caution))
            except Poisoned as error:
                _log.warning("transaction_aborted", partition=batch.partition, records=len(tried), reason=str(error))
                caution.failed(tried, str(error))
                await self._lanes.pop(batch.partition).close()
                lane = await self._open(consumer, batch.partition)
            else:
                caution.worked()
                self.progress.done += len(tried)

    async def _one(self, lane: Lane, tried: Sequence[Consumed], caution: Caution) -> Account:
        if caution.condemned and caution.condemned[0] == tried[0].offset:
            _log.error("record_refused", partition=lane.partition, offset=tried[0].offset, reason=caution.condemned[1])
            return await lane.bury(self._processor, tried[0], caution.condemned[1])
        return await lane.take(self._processor, tried)

    def _count(self, account: Account) -> None:
        self.repeats += account.repeats
        self.dead_letters += len(account.dead_letters)
        self.unenriched += account.unenriched
        if account.replays:
            _log.info("dead_letters_replayed", events=account.replays)


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it."""
    enrichment = enrichment_of(config.enrich, load_plugins())
    processor = Processor(lambda: datetime.now(UTC), None, config_version(config), enrichment)
    return ProcessorRole(config, processor, Route())


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them to their end, then the first error: one partition's trouble does not cut another's transaction."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if outcome is not None:
            raise outcome
