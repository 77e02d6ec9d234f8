"""Dead letters of roles that write to stores: to the topic log-dead-letter, before the offset is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import client_arguments
from logintel.bus.kafka_link import abandon
from logintel.bus.topics import DEAD_LETTERS
from logintel.config.shared import KafkaBusConfig
from logintel.dead_letter import DeadLetter, encoded

#: Seconds that the cluster may take for all letters of one call.
TIMEOUT: Final = 30.0
_SCHEMA: Final = ("schema", b"1")


class DeadLetterSender:
    """Connects when there is something to send; after an error anew. A repeat of a letter has the same key."""

    def __init__(self, kafka: KafkaBusConfig, topic: str = DEAD_LETTERS.name) -> None:
        self._kafka, self._topic = kafka, topic
        self._producer: AIOKafkaProducer | None = None

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the cluster has all of them. Raises TimeoutError, KafkaError: some may be sent."""
        if not letters:
            return
        try:
            async with asyncio.timeout(TIMEOUT):
                producer = await self._started()
                answers: list[asyncio.Future[Any]] = []
                for letter in letters:
                    key, value = letter.log_id.encode(), encoded(letter)
                    answers.append(await producer.send(self._topic, value, key, headers=[_SCHEMA]))
                    answers[-1].add_done_callback(_looked_at)
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
                max_request_size=DEAD_LETTERS.max_message_bytes,
                request_timeout_ms=int(TIMEOUT * 1000),
            )
            await self._producer.start()
        return self._producer


def _looked_at(answer: asyncio.Future[Any]) -> None:
    """Of several errors one is told: the others are not asyncio's to complain of."""
    if not answer.cancelled():
        answer.exception()
