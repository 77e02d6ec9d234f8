"""Arrivals: what a consumer sees of a topic, by the numbers of the lines, read along while the faults go on."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from faults.lines import Line, found_in
from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.config.shared import KafkaBusConfig

#: Seconds between looks for new partitions, and that the broker may take for an answer.
_ROUND: Final = 3.0
_ANSWER: Final = 20.0


@dataclass
class Arrivals:
    """What of `topic` was seen up to now.

    first     by writer and number: the log_id under which the line came first
    repeated  records that came again under the same log_id
    doubled   lines that came under a second log_id
    overtaken, strayed  streams of which an event came before an earlier one, or in two partitions
    """

    kafka: KafkaBusConfig
    topic: str
    first: dict[str, dict[int, str]] = field(default_factory=dict)
    repeated: int = 0
    doubled: list[tuple[Line, str, str]] = field(default_factory=list)
    overtaken: set[bytes] = field(default_factory=set)
    strayed: set[bytes] = field(default_factory=set)
    _offsets: dict[int, int] = field(default_factory=dict)
    _streams: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def has(self, writer: str, first: int, last: int) -> bool:
        """Whether all these lines of a writer were seen."""
        seen = self.first.get(writer, {})
        return all(number in seen for number in range(first, last + 1))

    def follow(self, stop: threading.Event) -> None:
        """Read along until `stop`, whatever the broker does meanwhile."""
        asyncio.run(self._follow(stop))

    def read_to_end(self) -> None:
        """Read on to what is the end now. Raises KafkaError, TimeoutError."""
        asyncio.run(self._read(until_end=True))

    async def _follow(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                await self._read(until_end=False)
            except (KafkaError, TimeoutError, OSError):
                await asyncio.sleep(0.2)

    async def _read(self, *, until_end: bool) -> None:
        """From where it was, to the end or for a while."""
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(
            **client_arguments(self.kafka),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            group_id=None,
        )
        try:
            async with asyncio.timeout(_ANSWER):
                await consumer.start()
                cluster = await consumer._client.fetch_all_metadata()
                places = [TopicPartition(self.topic, n) for n in cluster.partitions_for_topic(self.topic) or ()]
                consumer.assign(places)
                for place in places:
                    consumer.seek(place, self._offsets.get(place.partition, 0))
                ends = await consumer.end_offsets(places)
            deadline = asyncio.get_running_loop().time() + _ROUND
            while await self._behind(consumer, ends) if until_end else asyncio.get_running_loop().time() < deadline:
                async with asyncio.timeout(_ANSWER):
                    self._take(await consumer.getmany(timeout_ms=200, max_records=5000))
        finally:
            await bounded(consumer.stop())

    async def _behind(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
        async with asyncio.timeout(_ANSWER):
            return any([await consumer.position(place) < end for place, end in ends.items()])

    def _take(self, batches: dict[TopicPartition, list[Any]]) -> None:
        for place, records in batches.items():
            for record in records:
                self._see(record, place.partition)
            self._offsets[place.partition] = records[-1].offset + 1

    def _see(self, record: Any, partition: int) -> None:
        event = orjson.loads(record.value)
        log_id, stream, seq = event["log_id"], record.key, dict(record.headers)["seq"]
        usual, highest = self._streams.get(stream, (partition, b""))
        if partition != usual:
            self.strayed.add(stream)
        if log_id in self._ids:
            self.repeated += 1
        elif seq <= highest:
            self.overtaken.add(stream)
        self._ids.add(log_id)
        self._streams[stream] = usual, max(seq, highest)
        for line in found_in(event["raw_log"]):
            seen = self.first.setdefault(line.writer, {}).setdefault(line.number, log_id)
            if seen != log_id:
                self.doubled.append((line, seen, log_id))
