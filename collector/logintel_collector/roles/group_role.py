"""The group role: a role that reads one topic as a member of a consumer group."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Final

from logintel.bus.kafka_consumer import GroupConsumer
from logintel.config.shared import KafkaBusConfig
from logintel_collector.roles.role import Role

#: Records that are taken at once.
STEP: Final = 4000
#: Seconds that a read waits for records; so often a role looks whether it shall stop.
WAIT: Final = 0.5


class GroupRole(Role):
    """Reads `topic` as a member of `group`, one step at a time: no rebalance falls into the middle of a step."""

    def __init__(self, kafka: KafkaBusConfig, topic: str, group: str) -> None:
        super().__init__()
        self.kafka, self.topic, self.group = kafka, topic, group
        self._turn = asyncio.Lock()

    async def run(self, stop: asyncio.Event) -> None:
        """See Role."""
        consumer = GroupConsumer(self.kafka, self.topic, self.group, on_revoked=self._on_revoked)
        try:
            await consumer.start()
            while not stop.is_set():
                await self._step(consumer)
        finally:
            await self.release()
            await consumer.stop()

    @abstractmethod
    async def work(self, consumer: GroupConsumer) -> bool:
        """Read once, and go on with what was read; whether there was anything to do.

        Do the role's work durably before saying so to the group, and count it in `progress.done`.
        `consumer.assigned` may have changed since the last call.
        """

    @abstractmethod
    async def release(self) -> None:
        """Let go of every partition; when this returns, others may read them."""

    async def _step(self, consumer: GroupConsumer) -> None:
        async with self._turn:
            asked = self.progress.now()
            busy = await self.work(consumer)
        self.progress.trouble = None
        if not busy:
            self.progress.saw(await consumer.lag(), asked)

    async def _on_revoked(self, _partitions: set[int]) -> None:
        """The group deals the partitions anew; the members give all of them back first."""
        async with self._turn:
            await self.release()
