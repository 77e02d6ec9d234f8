"""The group consumer: reads the partitions of one topic that the group gives it; the caller says what is done with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from logintel.bus import kafka_lz4, kafka_records
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.config.shared import KafkaBusConfig

#: Seconds that one exchange with the cluster may take.
TIMEOUT: Final = 30.0
#: Seconds that joining a group may take. It ends when every member has given its partitions back, and those whose store
#: is slow finish a step first: who does not wait for them leaves again, and has the group dealt anew once more.
JOIN: Final = 100.0
_log = structlog.get_logger(__name__)

PartitionsChanged = Callable[[set[int]], Awaitable[None]]


class Consumed(Protocol):
    """One record as read."""

    @property
    def offset(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class PartitionBatch(NamedTuple):
    """Records of one partition, in order; offsets rise, not always by one."""

    topic: str
    partition: int
    records: Sequence[Consumed]


async def _nothing(_partitions: set[int]) -> None:
    """Nobody asked to be told."""


class GroupConsumer:
    """Reads `topic` as a member of `group`: read_committed, nothing committed but by `commit`.

    `on_revoked` and `on_assigned` are awaited inside the rebalance: until `on_revoked` returns, nobody else reads those
    partitions. A committed offset that is gone is reported and the partition goes on from the earliest record; so does
    one that was never committed.
    """

    def __init__(
        self,
        config: KafkaBusConfig,
        topic: str,
        group: str,
        on_assigned: PartitionsChanged = _nothing,
        on_revoked: PartitionsChanged = _nothing,
    ) -> None:
        kafka_lz4.install()
        kafka_records.install()
        self.topic = topic
        self._config, self._group = config, group
        self._listener = _Listener(on_assigned, on_revoked)
        self._consumer: AIOKafkaConsumer | None = None

    @property
    def assigned(self) -> set[int]:
        """The partitions that are ours now."""
        return {place.partition for place in self._consumer.assignment()} if self._consumer else set()

    async def start(self) -> None:
        """Join the group. Raises TimeoutError, KafkaError when the cluster is away: call it again."""
        consumer = AIOKafkaConsumer(
            **client_arguments(self._config),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            value_deserializer=kafka_records.as_read,
        )
        consumer.subscribe([self.topic], listener=self._listener)
        try:
            async with asyncio.timeout(JOIN):
                await consumer.start()
        except BaseException:
            await bounded(consumer.stop())
            raise
        self._consumer = consumer

    async def stop(self) -> None:
        """Leave the group, in bounded time."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await bounded(consumer.stop())

    async def read(self, max_records: int, timeout: float) -> list[PartitionBatch]:  # noqa: ASYNC109 - aiokafka's own
        """What there is, at most `max_records`; nothing when there is none within `timeout` seconds.

        Raises TimeoutError, KafkaError when this consumer cannot go on: stop it and start it again.
        """
        try:
            async with asyncio.timeout(timeout + TIMEOUT):
                found = await self._running.getmany(timeout_ms=int(timeout * 1000), max_records=max_records)
        except OffsetOutOfRangeError as error:
            await self._to_earliest(error.args[0], "bus_gap")
            return []
        except NoOffsetForPartitionError as error:
            await self._to_earliest({error.args[0]: None}, "bus_offset_missing")
            return []
        return [PartitionBatch(place.topic, place.partition, records) for place, records in found.items()]

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Make {partition: next offset} the place where the group goes on. Raises TimeoutError, KafkaError."""
        async with asyncio.timeout(TIMEOUT):
            await self._running.commit({self._place(partition): offset for partition, offset in offsets.items()})

    async def committed(self, partition: int) -> int | None:
        """Where the group goes on; None: nowhere said. Raises TimeoutError, KafkaError."""
        async with asyncio.timeout(TIMEOUT):
            offset: int | None = await self._running.committed(self._place(partition))
        return offset

    async def beginning(self, partition: int) -> int:
        """Offset of the earliest record that is still there. Raises TimeoutError, KafkaError."""
        place = self._place(partition)
        async with asyncio.timeout(TIMEOUT):
            offset: int = (await self._running.beginning_offsets([place]))[place]
        return offset

    async def lag(self) -> int:
        """Offsets of our partitions that `read` did not pass yet. Raises TimeoutError, KafkaError."""
        consumer, total = self._running, 0
        async with asyncio.timeout(TIMEOUT):
            places = consumer.assignment()
            if places:
                for place, end in (await consumer.end_offsets(places)).items():
                    with suppress(IllegalStateError):  # dealt to somebody else meanwhile
                        total += max(0, end - await consumer.position(place))
        return total

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`."""
        self._running.seek(self._place(partition), offset)

    def pause(self, partition: int) -> None:
        """Read nothing of the partition until `resume`."""
        self._running.pause(self._place(partition))

    def resume(self, partition: int) -> None:
        """Read the partition again."""
        self._running.resume(self._place(partition))

    @property
    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise KafkaError("the consumer is not started")
        return self._consumer

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)

    async def _to_earliest(self, places: Mapping[TopicPartition, int | None], event: str) -> None:
        """Go on from the earliest record, and say what is missing before it."""
        async with asyncio.timeout(TIMEOUT):
            earliest = await self._running.beginning_offsets(list(places))
        for place, offset in earliest.items():
            _log.error(event, topic=place.topic, partition=place.partition, wanted=places[place], continued_from=offset)
            self._running.seek(place, offset)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, on_assigned: PartitionsChanged, on_revoked: PartitionsChanged) -> None:
        self._on_assigned, self._on_revoked = on_assigned, on_revoked

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        await self._on_assigned({place.partition for place in assigned})

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:
            await self._on_revoked({place.partition for place in revoked})
