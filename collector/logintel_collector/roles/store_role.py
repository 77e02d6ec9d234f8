"""The store role: a group role that writes to a store, and makes a step ready while the store takes the one before."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from logintel.bus.kafka_consumer import Consumed, GroupConsumer, PartitionBatch
from logintel_collector.roles.group_role import GroupRole

#: Records that are made ready at once; between two of these, what goes to the store goes on.
_PART: Final = 250
_Made = TypeVar("_Made")


class _Ready(NamedTuple, Generic[_Made]):
    batches: list[PartitionBatch]
    made: _Made


class StoreRole(GroupRole, Generic[_Made]):
    """Holds one step that is being stored and one that is ready; the second is forgotten when partitions are given
    back.

    `_Made` is what the records of a step become: what the store is given.
    """

    _ready: _Ready[_Made] | None = None

    @abstractmethod
    def begin(self) -> _Made:
        """Of a step without records."""

    @abstractmethod
    def add(self, made: _Made, partition: int, records: Sequence[Consumed]) -> None:
        """Add what records of a partition become. No I/O."""

    @abstractmethod
    async def store(self, made: _Made) -> None:
        """Store it durably, also what is a dead letter, and count what became of it."""

    async def prepare(self, consumer: GroupConsumer) -> None:
        """See GroupRole: there is nothing to hold between two reads."""

    async def work(self, consumer: GroupConsumer) -> bool:
        """See GroupRole."""
        ready, self._ready = self._ready, None
        async with asyncio.TaskGroup() as group:
            if ready is not None:
                group.create_task(self._store(consumer, ready))
            found = await super().work(consumer)
        return found or ready is not None

    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:  # noqa: ARG002 - GroupRole's
        """See GroupRole: it is made ready, and stored while the next is."""
        self._ready = _Ready(batches, await self._made(batches))

    async def release(self) -> None:
        """See GroupRole: what is not committed the next owner stores again, under the same ids."""
        self._ready = None

    async def _made(self, batches: Sequence[PartitionBatch]) -> _Made:
        made = self.begin()
        for batch in batches:
            for first in range(0, len(batch.records), _PART):
                await asyncio.sleep(0)
                self.add(made, batch.partition, batch.records[first : first + _PART])
        return made

    async def _store(self, consumer: GroupConsumer, ready: _Ready[_Made]) -> None:
        batches, made = ready
        await self.store(made)
        await consumer.commit({batch.partition: batch.records[-1].offset + 1 for batch in batches})
        self.progress.done += sum(len(batch.records) for batch in batches)
