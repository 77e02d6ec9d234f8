"""A topic of a test's own on a real broker: made, filled with records, read back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from logintel.bus import Record
from logintel.bus.kafka_consumer import Consumed, GroupConsumer
from logintel.config.shared import KafkaBusConfig
from logintel.identity import seq_of


def config(kafka: str) -> KafkaBusConfig:
    return KafkaBusConfig(bootstrap_servers=(kafka,))


@asynccontextmanager
async def topic(kafka: str, **settings: str) -> AsyncIterator[str]:
    name = f"test-{secrets.token_hex(6)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 3, 1, topic_configs=settings)])
        yield name
        await admin.delete_topics([name])
    finally:
        await admin.close()


async def refuse_none(_record: Record, error: str) -> None:
    raise AssertionError(error)


async def everything(kafka: str, name: str, count: int) -> dict[int, list[Consumed]]:
    """What a member of a new group reads, by partition."""
    consumer = GroupConsumer(config(kafka), name, f"group-{secrets.token_hex(6)}")
    await consumer.start()
    found: dict[int, list[Consumed]] = {}
    try:
        async with asyncio.timeout(30):
            while sum(map(len, found.values())) < count or await consumer.lag():  # repeats come on top
                for batch in await consumer.read(1000, 1.0):
                    found.setdefault(batch.partition, []).extend(batch.records)
    finally:
        await consumer.stop()
    return found


def records(stream: bytes, start: int, count: int, fill: bytes = b"") -> list[Record]:
    return [Record(b'{"n":%d}' % place + fill, stream, seq_of(place)) for place in range(start, start + count)]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)
