"""Findings: what is on log-processing and log-dead-letter, and which alerts were made, by the marks of events."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from faults.lines import Line

from collector_faults.marks import marked
from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.topics import ALERTS, DEAD_LETTERS, PROCESSING
from logintel.config.shared import KafkaBusConfig

#: Seconds that the broker may take for an answer.
_ANSWER: Final = 60.0


@dataclass
class Findings:
    """`processed` counts records of log-processing; `letters`: by stage, the lines that have one; `nameless` have none."""

    kafka: KafkaBusConfig
    processed: Counter[Line] = field(default_factory=Counter)
    letters: dict[str, set[Line]] = field(default_factory=lambda: defaultdict(set))
    nameless: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notifications: set[str] = field(default_factory=set)
    _offsets: dict[TopicPartition, int] = field(default_factory=dict)

    def read(self) -> None:
        """What has come since the last time. Raises KafkaError, TimeoutError."""
        asyncio.run(self._read())

    async def _read(self) -> None:
        async for record in self._new(PROCESSING.name):
            line = marked(record.value or b"")
            if line is not None:
                self.processed[line] += 1
        async for record in self._new(DEAD_LETTERS.name):
            if record.value is not None:  # one that went on
                self._see(orjson.loads(record.value))
        async for record in self._new(ALERTS.name):
            self.notifications.add(orjson.loads(record.value)["notification"]["id"])

    async def _new(self, topic: str) -> AsyncIterator[Any]:
        """The records of a topic that were not seen yet, up to its end now."""
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(
            **client_arguments(self.kafka),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            group_id=None,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        try:
            async with asyncio.timeout(_ANSWER):
                await consumer.start()
                cluster = await consumer._client.fetch_all_metadata()
                places = [TopicPartition(topic, n) for n in cluster.partitions_for_topic(topic) or ()]
                consumer.assign(places)
                for place in places:
                    consumer.seek(place, self._offsets.get(place, 0))
                ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                async with asyncio.timeout(_ANSWER):
                    batches = await consumer.getmany(timeout_ms=500, max_records=5000)
                for place, records in batches.items():
                    for record in records:
                        yield record
                    self._offsets[place] = records[-1].offset + 1
        finally:
            await bounded(consumer.stop())

    def _see(self, letter: dict[str, Any]) -> None:
        line = marked(base64.b64decode(letter["original"]))
        if line is None:
            self.nameless += 1
            return
        if line not in self.letters[letter["stage"]]:
            self.letters[letter["stage"]].add(line)
            self.reasons[f"{letter['stage']} {letter['reason']}"] += 1


def lines_of(texts: Iterator[bytes]) -> Counter[Line]:
    """How often each line is in a store."""
    return Counter(line for text in texts if (line := marked(text)) is not None)
