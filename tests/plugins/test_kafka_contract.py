"""The Kafka source keeps the contract of every source; its place is kept by its consumer group."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import OffsetAndMetadata

from logintel.batch import Cursor
from logintel.source import Source, SourceContext
from logintel.testing import ReplayableContract
from logintel_custom.kafka_source import KafkaSource

PARTITIONS = 2
RECORDS = 3000


class TestKafkaTopics(ReplayableContract):
    """Two partitions, with values that are no JSON, no UTF-8, empty or null among them."""

    kills: ClassVar[int] = 2
    unsaved: ClassVar[Sequence[int]] = (1,)
    steps: ClassVar[Sequence[int]] = (21,)

    @pytest.fixture(autouse=True)
    def _cluster(self, kafka: str) -> None:
        self.kafka, self.topic = kafka, f"contract-{secrets.token_hex(5)}"

    def source(self, directory: Path, context: SourceContext) -> Source:
        cluster = {"bootstrap_servers": [self.kafka]}
        keys = {"name": "k", "type": "kafka", "cluster": cluster, "topics": [self.topic], "group": self.topic}
        return KafkaSource(KafkaSource.Config.model_validate({**keys, "format": "json"}), context)

    def fill(self, directory: Path) -> Collection[str]:
        values = [b'{"n": %d}' % n if n % 7 else b"no json %d \xff" % n for n in range(RECORDS)]

        async def produce() -> None:
            async with self._admin() as admin:
                await admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])
            producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
            await producer.start()
            try:
                for place, value in enumerate([*values, None]):
                    await producer.send(self.topic, value, key=b"k", partition=place % PARTITIONS)
            finally:
                await producer.stop()

        asyncio.run(produce())
        return [value.decode("utf-8", "backslashreplace") for value in values]

    def begin(self, directory: Path, cursors: Mapping[str, Cursor]) -> None:
        asyncio.run(self._rewind(cursors))

    async def _rewind(self, cursors: Mapping[str, Cursor]) -> None:
        """Let the group go on behind the cursors, in the incarnations that it knows."""
        offsets = {stream.rpartition("/")[0]: cursor for stream, cursor in cursors.items() if isinstance(cursor, int)}
        async with self._admin() as admin:
            known = await admin.list_consumer_group_offsets(self.topic)
        if not known:
            return  # nobody has read anything yet
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=self.topic, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(list(known))
            await consumer.commit(
                {
                    place: OffsetAndMetadata(offsets.get(f"{place.topic}/{place.partition}", 0), said.metadata)
                    for place, said in known.items()
                }
            )
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()
