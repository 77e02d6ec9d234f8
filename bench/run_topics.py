"""Topics of a run: made before it, counted and read after it, deleted behind it, so that no disk fills."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from logintel.bus import topics
from logintel.bus.kafka_assigned import AssignedConsumer
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_consumer import Consumed
from logintel.config.shared import KafkaBusConfig

_RECORDS: Final = 20_000


@asynccontextmanager
async def _admin(bus: KafkaBusConfig) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_arguments(bus))
    try:
        await admin.start()
        yield admin
    finally:
        await bounded(admin.close())


async def make(bus: KafkaBusConfig, topic: str) -> None:
    """A topic of one run, with one partition: one file comes in order, as the agent sends it."""
    async with _admin(bus) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])


async def delete(bus: KafkaBusConfig, topic: str) -> None:
    """Delete it with all that it holds."""
    async with _admin(bus) as admin:
        await admin.delete_topics([topic])


async def renew(bus: KafkaBusConfig) -> None:
    """Make logintel's own topics anew, empty. Only for a devstack of the benchmark's own."""
    async with _admin(bus) as admin:
        found = set(await admin.list_topics()) & {topic.name for topic in topics.ALL}
        await admin.delete_topics(sorted(found))
    await topics.set_up(bus)


async def ends(bus: KafkaBusConfig, topic: str) -> dict[int, int]:
    """{partition: offset of the next record}."""
    consumer = AIOKafkaConsumer(**client_arguments(bus), group_id=None, enable_auto_commit=False)
    try:
        await consumer.start()
        # Asks for all topics: asking for one would make it, with the broker's defaults.
        cluster = await consumer._client.fetch_all_metadata()  # noqa: SLF001
        places = [TopicPartition(topic, number) for number in cluster.partitions_for_topic(topic) or ()]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
    finally:
        await bounded(consumer.stop())


async def records(bus: KafkaBusConfig, topic: str, starts: dict[int, int]) -> AsyncIterator[Consumed]:
    """What came to a topic behind `starts`, up to its end."""
    consumer = AssignedConsumer(bus, topic, starts)
    try:
        await consumer.start()
        while True:
            batches = await consumer.read(_RECORDS, 1.0)
            if not batches and not await consumer.lag():
                return
            for batch in batches:
                for record in batch.records:
                    yield record
    finally:
        await consumer.stop()
