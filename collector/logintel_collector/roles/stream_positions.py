"""Stream positions: the repeat map of one partition, as topic stream-positions keeps it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.config.shared import KafkaBusConfig

#: Milliseconds after which a stream that brings nothing is forgotten.
IDLE: Final = 30 * 24 * 3600 * 1000
#: Seconds without any answer of the cluster after which reading is given up.
_TIMEOUT: Final = 30.0


@dataclass(slots=True)
class StreamPositions:
    """`last`: the last seq of each stream; `touched`: when that was, milliseconds since 1970."""

    last: dict[bytes, bytes] = field(default_factory=dict)
    touched: dict[bytes, int] = field(default_factory=dict)

    def update(self, positions: dict[bytes, bytes], now: int) -> None:
        """Note that streams have gone on to `positions`."""
        self.last.update(positions)
        self.touched.update(dict.fromkeys(positions, now))

    def idle(self, now: int, most: int) -> list[bytes]:
        """At most `most` streams that brought nothing for so long that they can be forgotten."""
        found = []
        for stream, moment in self.touched.items():
            if now - moment > IDLE:
                found.append(stream)
                if len(found) == most:
                    break
        return found

    def forget(self, streams: list[bytes]) -> None:
        """Streams whose positions are no longer kept."""
        for stream in streams:
            self.last.pop(stream, None)
            self.touched.pop(stream, None)


async def read_positions(kafka: KafkaBusConfig, topic: str, partition: int) -> StreamPositions:
    """All committed positions of `partition`, to its end. Raises TimeoutError, KafkaError."""
    kafka_lz4.install()
    place = TopicPartition(topic, partition)
    # It starts at the earliest record by itself: `seek_to_beginning` races with aiokafka's own first look.
    consumer = AIOKafkaConsumer(
        **client_arguments(kafka), isolation_level="read_committed", auto_offset_reset="earliest", group_id=None
    )
    consumer.assign([place])
    found = StreamPositions()
    try:
        async with asyncio.timeout(_TIMEOUT):
            await consumer.start()
            end = (await consumer.end_offsets([place]))[place]
        while await _position(consumer, place) < end:
            async with asyncio.timeout(_TIMEOUT):
                batches = await consumer.getmany(timeout_ms=1000, max_records=100_000)
            for record in batches.get(place, ()):
                if record.value is None:
                    found.forget([record.key])
                else:
                    found.last[record.key] = record.value
                    found.touched[record.key] = record.timestamp
    finally:
        await bounded(consumer.stop())
    return found


async def _position(consumer: AIOKafkaConsumer, place: TopicPartition) -> int:
    async with asyncio.timeout(_TIMEOUT):
        position: int = await consumer.position(place)
    return position
