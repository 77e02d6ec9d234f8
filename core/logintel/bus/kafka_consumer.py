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
#: Seconds without a heartbeat after which a member is dead. Heartbeats go on while its records are worked on.
SESSION: Final = 10.0
#: Seconds that a member may work on what it has read: so long the group waits for it when partitions are dealt anew,
#: and it stays a member though it reads nothing. A store that is slow must not make it lose its partitions.
HOLD: Final = 600.0
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


class Gap(NamedTuple):
    """Records that are gone from the bus before they were read: their partition goes on at `continued_from`.

    wanted  offset of the first record that was to be read; None: nobody knows (the committed offset has vanished)
    """

    topic: str
    partition: int
    wanted: int | None
    continued_from: int

    @property
    def records(self) -> int | None:
        """How many offsets were passed over; None: nobody knows. A topic that was made anew counts as one it is."""
        if self.wanted is None or self.wanted > self.continued_from:
            return None
        return self.continued_from - self.wanted


GapFound = Callable[[Gap], Awaitable[None]]


async def nothing(_partitions: object) -> None:
    """Nobody asked to be told."""


class GroupConsumer:
    """Reads `topic` as a member of `group`: read_committed, nothing committed but by `commit`.

    `on_revoked` and `on_assigned` are awaited inside the rebalance: until `on_revoked` returns, nobody else reads those
    partitions. Where records are gone before they were read, `on_gap` is awaited, and then the partition goes on from
    the earliest record; when it raises, the gap is found again at the next start.
    """

    def __init__(
        self,
        config: KafkaBusConfig,
        topic: str,
        group: str,
        on_assigned: PartitionsChanged = nothing,
        on_revoked: PartitionsChanged = nothing,
        *,
        on_gap: GapFound = nothing,
    ) -> None:
        kafka_lz4.install()
        kafka_records.install()
        self.topic = topic
        self._config, self._group, self._on_gap = config, group, on_gap
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
            session_timeout_ms=int(SESSION * 1000),
            heartbeat_interval_ms=int(SESSION * 1000 / 3),
            rebalance_timeout_ms=int(HOLD * 1000),
            max_poll_interval_ms=int(HOLD * 1000),
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
            await self._to_earliest(error.args[0])
            return []
        except NoOffsetForPartitionError:
            await self._to_earliest(dict.fromkeys(await self._placeless()))
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

    async def _to_earliest(self, places: Mapping[TopicPartition, int | None]) -> None:
        """Go on from the earliest record, once it is said what is missing before it."""
        if not places:
            return
        async with asyncio.timeout(TIMEOUT):
            earliest = await self._running.beginning_offsets(list(places))
        for place, offset in earliest.items():
            await self.report(place.partition, places[place], offset)
            self._running.seek(place, offset)

    async def _placeless(self) -> list[TopicPartition]:
        """Our partitions that have no committed offset and are not read yet; aiokafka names one of them."""
        consumer = self._running
        assignment = consumer._subscription.subscription.assignment  # noqa: SLF001 - it has no other way to ask
        waiting = [place for place in assignment.tps if not assignment.state_value(place).has_valid_position]
        async with asyncio.timeout(TIMEOUT):
            return [place for place in waiting if await consumer.committed(place) is None]

    async def report(self, partition: int, wanted: int | None, continued_from: int) -> None:
        """Say that a partition goes on elsewhere than where it was. A new partition that begins at 0 lacks nothing."""
        if wanted is None and continued_from == 0:
            _log.info("bus_partition_begun", topic=self.topic, partition=partition)
            return
        gap = Gap(self.topic, partition, wanted, continued_from)
        _log.error("bus_gap", **gap._asdict(), records=gap.records, effect="goes on from the earliest record")
        await self._on_gap(gap)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, on_assigned: PartitionsChanged, on_revoked: PartitionsChanged) -> None:
        self._on_assigned, self._on_revoked = on_assigned, on_revoked

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        await self._on_assigned({place.partition for place in assigned})

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:
            await self._on_revoked({place.partition for place in revoked})
