"""The lag of a reader: how many records it has not read yet, how old the oldest of them is, and when that is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.config.shared import KafkaBusConfig

#: Seconds that one exchange with the cluster may take, and that it may take to send the oldest records.
TIMEOUT: Final = 30.0
_FETCH: Final = 10.0
#: Bytes that are asked for of a partition: only the first record is looked at.
_PORTION: Final = 1024


class Lag(NamedTuple):
    """`records`: offsets that were not passed; `seconds`: age of the oldest record that was not read, 0 without one."""

    records: int
    seconds: float


async def committed(config: KafkaBusConfig, group: str, topic: str) -> dict[int, int]:
    """Where the group goes on in each partition; those that it never committed are missing.

    Raises TimeoutError, KafkaError.
    """
    consumer = AIOKafkaConsumer(**client_arguments(config), group_id=group, enable_auto_commit=False)
    try:
        async with asyncio.timeout(TIMEOUT):
            await consumer.start()
            places = await _places(consumer, topic)
            consumer.assign(places)
            found = {place.partition: await consumer.committed(place) for place in places}
    finally:
        await bounded(consumer.stop())
    return {partition: offset for partition, offset in found.items() if offset is not None}


async def lag(config: KafkaBusConfig, topic: str, offsets: Mapping[int, int]) -> Lag:
    """Of a reader that goes on at `offsets`. Raises TimeoutError, KafkaError."""
    kafka_lz4.install()
    consumer = AIOKafkaConsumer(
        **client_arguments(config),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # what retention has passed meanwhile is reported by the reader itself
        max_partition_fetch_bytes=_PORTION,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            await consumer.start()
            places = [TopicPartition(topic, partition) for partition in offsets]
            ends = await consumer.end_offsets(places) if places else {}
        behind = {place: end - offsets[place.partition] for place, end in ends.items()}
        open_ = [place for place, records in behind.items() if records > 0]
        oldest = await _oldest(consumer, {place: offsets[place.partition] for place in open_})
    finally:
        await bounded(consumer.stop())
    seconds = 0.0 if oldest is None else max(0.0, time.time() - oldest / 1000)
    return Lag(sum(behind[place] for place in open_), seconds)


async def retention(config: KafkaBusConfig, topic: str) -> float | None:
    """Seconds after which the topic loses its records; None: never. Raises TimeoutError, KafkaError."""
    admin = AIOKafkaAdminClient(**client_arguments(config), request_timeout_ms=int(TIMEOUT * 1000))
    try:
        async with asyncio.timeout(TIMEOUT):
            await admin.start()
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await bounded(admin.close())
    values = {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}
    milliseconds = int(values.get("retention.ms") or -1)
    return milliseconds / 1000 if milliseconds >= 0 and "delete" in values.get("cleanup.policy", "delete") else None


async def _oldest(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> int | None:
    """Timestamp (milliseconds since 1970) of the oldest first record behind `offsets`; None: there is none."""
    if not offsets:
        return None
    consumer.assign(list(offsets))
    for place, offset in offsets.items():
        consumer.seek(place, offset)
    found: dict[TopicPartition, int] = {}
    deadline = time.monotonic() + _FETCH
    while len(found) < len(offsets) and time.monotonic() < deadline:
        async with asyncio.timeout(TIMEOUT):
            batches: dict[TopicPartition, Any] = await consumer.getmany(timeout_ms=500)
        for place, records in batches.items():
            found.setdefault(place, records[0].timestamp)
            consumer.pause(place)
    return min(found.values(), default=None)


async def _places(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    # Asks for all topics: asking for one would make it, with the broker's defaults.
    cluster = await consumer._client.fetch_all_metadata()  # noqa: SLF001
    return [TopicPartition(topic, number) for number in cluster.partitions_for_topic(topic) or ()]
