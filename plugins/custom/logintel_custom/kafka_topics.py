"""Topics: a consumer group's reading of topics of any cluster, whose committed metadata tells incarnations apart."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata

from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused
from logintel.standing import Place

#: Seconds that one exchange with the cluster may take.
TIMEOUT: Final = 30.0
#: Seconds after which a member of the group that was given no partition gets none: a dead member is noticed meanwhile.
_DEALT: Final = 40.0
#: Seconds between looks whether the group has given us something.
_PAUSE: Final = 0.1
#: Before the incarnation in what the group commits beside an offset.
_MARK: Final = "logintel/1 "
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as long as its offsets mean the same: a topic that is deleted and made again is another incarnation,
    though it has the same name. `incarnation` is hex, random, and lives in what the group has committed."""

    topic: str
    number: int
    incarnation: str

    @property
    def stream(self) -> str:
        """Its name as a stream."""
        return f"{self.topic}/{self.number}/{self.incarnation}"


class Portion(NamedTuple):
    """Records of one partition, in order; aiokafka's ConsumerRecord."""

    partition: Partition
    records: Sequence[Any]


class Topics:
    """Reads `topics` as a member of `group`. Nothing is committed but by `commit`, and before a partition's first read.

    The group's committed offset is where reading goes on. What is gone behind it, because the topic's retention passed,
    is reported as a gap; an offset ahead of the end is another incarnation, read from its beginning.
    """

    def __init__(self, cluster: KafkaBusConfig, topics: Collection[str], group: str, *, latest: bool) -> None:
        """`latest`: a partition that the group never committed begins with what comes, not with what is there."""
        kafka_lz4.install()
        self._cluster, self._topics, self._group, self._latest = cluster, topics, group, latest
        self._partitions: dict[TopicPartition, Partition] = {}
        self._joined = 0.0
        self._read: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        """Join the group. Raises Refused."""
        consumer = AIOKafkaConsumer(
            **client_arguments(self._cluster),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
        )
        consumer.subscribe(sorted(self._topics), listener=_Listener(self))
        self._consumer = consumer
        try:
            async with self._exchange():
                await consumer.start()
        except BaseException:
            await bounded(consumer.stop())
            raise
        self._joined = asyncio.get_running_loop().time()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the group, in bounded time."""
        await bounded(self._consumer.stop())

    async def read(self, max_records: int, seconds: float) -> list[Portion]:
        """What there is, at most `max_records`; nothing when there is none within `seconds`. Raises Refused when this
        cannot go on: make another one."""
        places = self._consumer.assignment() & self._partitions.keys()
        if not places:  # assigned, a partition may be read before `take` has said where: such a read would be lost
            await asyncio.sleep(_PAUSE)
            return []
        async with self._exchange():
            try:
                found = await self._consumer.getmany(*places, timeout_ms=int(seconds * 1000), max_records=max_records)
            except NoOffsetForPartitionError:
                return []  # asked for before `take` had said where it goes on
            except OffsetOutOfRangeError as error:
                await self._close_gap(error.args[0])
                return []
        ours = self._partitions
        self._read |= {place: records[-1].offset + 1 for place, records in found.items()}
        return [Portion(ours[place], records) for place, records in found.items() if place in ours]

    def places(self) -> Iterator[tuple[str, Place]]:
        """Where the partitions are that were read from, and what is behind that as the brokers last said."""
        for place, partition in self._partitions.items():
            if place in self._read and (end := self._consumer.highwater(place)) is not None:
                yield partition.stream, Place(self._read[place], max(0, end - self._read[place]))

    async def exhausted(self) -> bool:
        """Whether all that there is now was read, of what the group has given to this member. Raises Refused."""
        async with self._exchange():
            places = self._consumer.assignment()
            if not places:
                return asyncio.get_running_loop().time() - self._joined > _DEALT
            if not places <= self._partitions.keys():
                return False
            ends = await self._consumer.end_offsets(places)
            return all([await self._consumer.position(place) >= ends[place] for place in places])

    async def commit(self, partition: Partition, offset: int) -> None:
        """The group goes on at `offset`. A partition that others have meanwhile is theirs to commit."""
        place = TopicPartition(partition.topic, partition.number)
        if self._partitions.get(place) != partition:
            return
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._consumer.commit({place: OffsetAndMetadata(offset, _MARK + partition.incarnation)})
        except (KafkaError, TimeoutError) as error:
            # It was only good news: whoever reads on from the offset before repeats some, under the same ids.
            _log.warning("offset_not_committed", stream=partition.stream, reason=str(error))

    async def take(self, places: Collection[TopicPartition]) -> None:
        """The group has given us `places`: find where each goes on, and commit it before its first read."""
        known = await self._committed(places)
        async with asyncio.timeout(TIMEOUT):
            beginnings = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
        for place in places:
            offset, incarnation = self._goes_on(place, *known.get(place, (-1, "")), beginnings[place], ends[place])
            partition = Partition(place.topic, place.partition, incarnation or secrets.token_hex(8))
            self._partitions[place] = partition
            if not incarnation:
                async with asyncio.timeout(TIMEOUT):
                    await self._consumer.commit({place: OffsetAndMetadata(offset, _MARK + partition.incarnation)})
            self._consumer.seek(place, offset)

    def give_back(self, places: Collection[TopicPartition]) -> None:
        """The group takes `places` away."""
        for place in places:
            self._partitions.pop(place, None)
            self._read.pop(place, None)

    def _goes_on(
        self, place: TopicPartition, offset: int, incarnation: str, beginning: int, end: int
    ) -> tuple[int, str]:
        """(offset, incarnation or "" for a new one) from what the group has committed; -1: nothing."""
        if offset < 0:
            return end if self._latest else beginning, ""
        if offset > end:
            _log.error("topic_made_anew", topic=place.topic, partition=place.partition, wanted=offset, end=end)
            return beginning, ""
        if offset < beginning:
            lost = beginning - offset
            _log.error("topic_gap", topic=place.topic, partition=place.partition, wanted=offset, lost=lost)
        return max(offset, beginning), incarnation

    async def _close_gap(self, places: Mapping[TopicPartition, int]) -> None:
        """Retention has passed the reader: say what is lost, and go on with what is there."""
        for place, beginning in (await self._consumer.beginning_offsets(list(places))).items():
            lost = beginning - places[place]
            _log.error("topic_gap", topic=place.topic, partition=place.partition, wanted=places[place], lost=lost)
            self._consumer.seek(place, beginning)

    async def _committed(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, str]]:
        """(offset, incarnation or "") of what the group has committed; the consumer itself does not tell the second."""
        admin = AIOKafkaAdminClient(**client_arguments(self._cluster), request_timeout_ms=int(TIMEOUT * 1000))
        try:
            async with asyncio.timeout(TIMEOUT):
                await admin.start()
                found = await admin.list_consumer_group_offsets(self._group, partitions=list(places))
        finally:
            await bounded(admin.close())
        return {
            place: (said.offset, said.metadata.removeprefix(_MARK) if said.metadata.startswith(_MARK) else "")
            for place, said in found.items()
        }

    @asynccontextmanager
    async def _exchange(self) -> AsyncIterator[None]:
        """One exchange with the cluster, in bounded time; what goes wrong in words for a person."""
        try:
            async with asyncio.timeout(TIMEOUT):
                yield
        except (KafkaError, TimeoutError) as error:
            servers = ", ".join(self._cluster.bootstrap_servers)
            raise Refused(f"Kafka at {servers}: {error or 'no answer in time'}: it is tried again") from error


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if assigned:
            await self._topics.take(assigned)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._topics.give_back(revoked)
