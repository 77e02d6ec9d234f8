"""The group role: a role that reads one topic as a member of a consumer group."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Final

from logintel.bus.kafka_consumer import Gap, GroupConsumer, PartitionBatch
from logintel.config.shared import KafkaBusConfig
from logintel_collector.roles.gaps import GapLedger
from logintel_collector.roles.role import Role

#: Records that are taken at once.
STEP: Final = 4000
#: Seconds that a read waits for records; so often a role looks whether it shall stop.
_WAIT: Final = 0.5


class GroupRole(Role):
    """Reads `topic` as a member of `group`, one step at a time: no rebalance falls into the middle of a step."""

    def __init__(self, kafka: KafkaBusConfig, topic: str, group: str, ledger: str) -> None:
        super().__init__()
        self.kafka, self.topic, self.group = kafka, topic, group
        self._gaps = GapLedger(kafka, group, self.progress, ledger)
        self._turn = asyncio.Lock()

    async def run(self, stop: asyncio.Event) -> None:
        """See Role."""
        consumer = GroupConsumer(self.kafka, self.topic, self.group, on_revoked=self._on_revoked, on_gap=self.on_gap)
        try:
            await consumer.start()
            while not stop.is_set():
                await self._step(consumer)
        finally:
            await self.release()
            await consumer.stop()
            await self._gaps.close()

    async def on_gap(self, gap: Gap) -> None:
        """A partition goes on elsewhere than where it was. Raises TimeoutError, KafkaError: it is found again."""
        await self._gaps.note(gap)

    @abstractmethod
    async def prepare(self, consumer: GroupConsumer) -> None:
        """Called before each read: `consumer.assigned` may have changed."""

    @abstractmethod
    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:
        """Do the role's work on what was read, durably; say so to the group, and count it in `progress.done`."""

    @abstractmethod
    async def release(self) -> None:
        """Let go of every partition; when this returns, others may read them."""

    async def _step(self, consumer: GroupConsumer) -> None:
        async with self._turn:
            await self.prepare(consumer)
            asked = self.progress.now()
            batches = await consumer.read(STEP, _WAIT)
            if batches:
                await self.take(consumer, batches)
        self.progress.trouble = None
        if not batches:
            await self.saw(consumer, asked)

    async def saw(self, consumer: GroupConsumer, asked: float) -> None:
        """Nothing was read by a read that began at `asked`: note in `progress` how much waits."""
        self.progress.saw(await consumer.lag(), asked)

    async def _on_revoked(self, _partitions: set[int]) -> None:
        """The group deals the partitions anew; the members give all of them back first."""
        async with self._turn:
            await self.release()
