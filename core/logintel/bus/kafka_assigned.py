"""The assigned consumer: reads every partition of a topic, from offsets that the reader keeps with its own results."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from logintel.bus import kafka_records
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_consumer import TIMEOUT, GapFound, GroupConsumer, PartitionBatch, nothing
from logintel.config.shared import KafkaBusConfig


class AssignedConsumer(GroupConsumer):
    """A GroupConsumer without a group: it has all partitions, and its reader keeps the offsets (no `commit`)."""

    def __init__(
        self, config: KafkaBusConfig, topic: str, offsets: Mapping[int, int], on_gap: GapFound = nothing
    ) -> None:
        """`offsets`: where each partition goes on; one without an offset begins at its earliest record."""
        super().__init__(config, topic, group="", on_gap=on_gap)
        self._offsets = dict(offsets)

    async def start(self) -> None:
        """Connect. Raises TimeoutError, KafkaError when the cluster is away: make another one."""
        consumer = AIOKafkaConsumer(
            **client_arguments(self._config),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            value_deserializer=kafka_records.as_read,
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                await consumer.start()
                await self._assign(consumer)
        except BaseException:
            await bounded(consumer.stop())
            raise
        self._consumer = consumer

    async def read(self, max_records: int, timeout: float) -> list[PartitionBatch]:  # noqa: ASYNC109 - as in the base
        """See GroupConsumer. Raises KafkaError also when the topic has got more partitions: make another one."""
        known = self._running.partitions_for_topic(self.topic)
        if known and known != self.assigned:
            raise KafkaError(f"the partitions of topic {self.topic} have changed")
        return await super().read(max_records, timeout)

    async def ends(self) -> dict[int, int]:
        """{partition: offset behind its last record}, now. Raises TimeoutError, KafkaError."""
        async with asyncio.timeout(TIMEOUT):
            ends = await self._running.end_offsets(self._running.assignment())
        return {place.partition: end for place, end in ends.items()}

    async def passed(self, offsets: Mapping[int, int]) -> bool:
        """Whether `read` has come to all of {partition: offset}. Raises TimeoutError, KafkaError."""
        async with asyncio.timeout(TIMEOUT):
            places = [(await self._running.position(self._place(number)), end) for number, end in offsets.items()]
        return all(position >= end for position, end in places)

    async def _assign(self, consumer: AIOKafkaConsumer) -> None:
        # Asks for all topics: asking for one would make it, with the broker's defaults.
        cluster = await consumer._client.fetch_all_metadata()  # noqa: SLF001
        places = [TopicPartition(self.topic, number) for number in cluster.partitions_for_topic(self.topic) or ()]
        if not places:
            raise KafkaError(f"topic {self.topic} is missing or this user may not see it")
        consumer.assign(places)
        fresh = [place for place in places if place.partition not in self._offsets]
        starts = await consumer.beginning_offsets(fresh) if fresh else {}
        for place in places:
            consumer.seek(place, starts[place] if place in starts else self._offsets[place.partition])
