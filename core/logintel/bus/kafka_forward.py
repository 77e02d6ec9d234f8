"""Forwarding dead letters: a record of log-ingestion sent once more, one at a time, durable when the call returns."""

from __future__ import annotations

from aiokafka.errors import KafkaError

from logintel.bus import Record, kafka_replay
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import INGESTION
from logintel.config.shared import KafkaBusConfig
from logintel.letter_box import StaysHere
from logintel.refused import Refused


class KafkaForward:
    """Sends as the replay of a dead letter."""

    def __init__(self, kafka: KafkaBusConfig, topic: str = INGESTION.name) -> None:
        self._sender = Sender(kafka, INGESTION._replace(name=topic))

    async def __call__(self, record: Record) -> None:
        """Raises StaysHere when the bus does not take it, Refused when the bus is away."""
        try:
            await self._sender.send([kafka_replay.message(record)])
        except (TimeoutError, KafkaError) as error:
            if isinstance(error, KafkaError) and not error.retriable:
                raise StaysHere(f"the bus refuses it again: {type(error).__name__}: {error}") from error
            said = str(error) or "no answer in time"
            raise Refused(
                f"Kafka did not take it ({said}): what was not sent is still here; try again later"
            ) from error

    async def close(self) -> None:
        """Let go, in bounded time."""
        await self._sender.close()
