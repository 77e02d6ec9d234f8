"""The sender: some records to one topic now and then, durable when the call returns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from logintel.bus import kafka_lz4
from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_connection import client_arguments
from logintel.bus.kafka_link import abandon, looked_at
from logintel.bus.topics import Topic
from logintel.config.shared import KafkaBusConfig

#: Seconds that the cluster may take for all records of one call.
TIMEOUT: Final = 30.0


class Sender:
    """Connects when there is something to send; after an error anew."""

    def __init__(self, kafka: KafkaBusConfig, topic: Topic) -> None:
        self._kafka, self._topic = kafka, topic
        self._producer: AIOKafkaProducer | None = None

    async def send(self, messages: Sequence[Message], partitions: Iterable[int | None] = repeat(None)) -> None:
        """Return when the cluster has all of them. Raises TimeoutError, KafkaError: some may be sent.

        `partitions`: of each message where it has to go; by default its key says so.
        """
        if not messages:
            return
        try:
            async with asyncio.timeout(TIMEOUT):
                producer = await self._started()
                answers: list[asyncio.Future[Any]] = []
                for (key, value, headers), partition in zip(messages, partitions, strict=False):
                    answers.append(await producer.send(self._topic.name, value, key, partition, headers=headers))
                    answers[-1].add_done_callback(looked_at)
                await asyncio.gather(*answers)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go, in bounded time."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await asyncio.shield(asyncio.ensure_future(abandon(producer)))

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            kafka_lz4.install()
            self._producer = AIOKafkaProducer(
                **client_arguments(self._kafka),
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                max_request_size=self._topic.max_message_bytes,
                request_timeout_ms=int(TIMEOUT * 1000),
            )
            await self._producer.start()
        return self._producer
