"""What a consumer group has passed: whether it has read all that a topic holds at a moment; waits until it has."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_groups import places_of
from logintel.config.shared import KafkaBusConfig

#: Seconds that one exchange with the cluster may take, and between two looks.
_TIMEOUT: Final = 30.0
_PAUSE: Final = 0.3
#: Seconds that a partition may take to say whether there is a record, and of one look at its answer.
_ANSWER: Final = 5.0
_LOOK: Final = 0.1


async def not_passed(kafka: KafkaBusConfig, topic: str, group: str, patience: float) -> set[int]:
    """Partitions of which `group` has not committed all that is there now, after `patience` seconds of waiting.

    Raises TimeoutError, KafkaError, Refused when the topic is missing.
    """
    kafka_lz4.install()
    consumer = AIOKafkaConsumer(
        **client_arguments(kafka),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        async with asyncio.timeout(_TIMEOUT):
            await consumer.start()
            places = await places_of(consumer, topic)
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            places = [place for place in places if not await _is_passed(consumer, place, ends[place])]
            if not places or asyncio.get_running_loop().time() > deadline:
                return {place.partition for place in places}
            await asyncio.sleep(_PAUSE)
    finally:
        await bounded(consumer.stop())


async def _is_passed(consumer: AIOKafkaConsumer, place: TopicPartition, end: int) -> bool:
    """Offsets without a record (markers, what was aborted) are nothing that anybody commits."""
    async with asyncio.timeout(_TIMEOUT):
        start = await consumer.committed(place)
        earliest = (await consumer.beginning_offsets([place]))[place]
        start = earliest if start is None else max(start, earliest)
        if start >= end:
            return True
        consumer.seek(place, start)
        for _ in range(int(_ANSWER / _LOOK)):
            if await consumer.getmany(place, timeout_ms=int(_LOOK * 1000), max_records=1):
                return False
            if await consumer.position(place) >= end:
                return True
    return False
