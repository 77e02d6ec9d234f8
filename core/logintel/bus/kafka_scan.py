"""The scan: every committed record of a topic, from its beginning to where it ends now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_groups import places_of
from logintel.config.shared import KafkaBusConfig

#: Seconds without any answer of the cluster after which it is given up.
_TIMEOUT: Final = 30.0
#: Records that are in memory at once.
_PAGE: Final = 10_000


async def scan(
    kafka: KafkaBusConfig, topic: str, partitions: Collection[int] | None = None
) -> AsyncGenerator[Sequence[Any], None]:
    """The records of `partitions` (default: all), page by page; of each partition in order.

    A record has topic, partition, offset, timestamp (milliseconds), key, value and headers. Raises TimeoutError,
    KafkaError, Refused when the topic is missing. Close it where it is not read to its end (contextlib.aclosing).
    """
    kafka_lz4.install()
    # It starts at the earliest record by itself: `seek_to_beginning` races with aiokafka's own first look.
    consumer = AIOKafkaConsumer(
        **client_arguments(kafka), isolation_level="read_committed", auto_offset_reset="earliest", group_id=None
    )
    try:
        async with asyncio.timeout(_TIMEOUT):
            await consumer.start()
            places = (
                await places_of(consumer, topic)
                if partitions is None
                else [TopicPartition(topic, number) for number in partitions]
            )
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
        waiting = set(places)
        while waiting := {place for place in waiting if await _position(consumer, place) < ends[place]}:
            async with asyncio.timeout(_TIMEOUT):
                pages = await consumer.getmany(timeout_ms=1000, max_records=_PAGE)
            for place, records in pages.items():
                yield [record for record in records if record.offset < ends[place]]
    finally:
        await bounded(consumer.stop())


async def _position(consumer: AIOKafkaConsumer, place: TopicPartition) -> int:
    async with asyncio.timeout(_TIMEOUT):
        position: int = await consumer.position(place)
    return position
