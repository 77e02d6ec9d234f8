"""Dead letters of roles that write to stores: to the topic log-dead-letter, before the offset is committed."""

from __future__ import annotations

from collections.abc import Sequence

from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import DEAD_LETTERS
from logintel.config.shared import KafkaBusConfig
from logintel.dead_letter import DeadLetter
from logintel_collector.roles.messages import dead_letters_out


class DeadLetterSender:
    """A Sender of letters. A repeat of a letter has the same key."""

    def __init__(self, kafka: KafkaBusConfig, topic: str = DEAD_LETTERS.name) -> None:
        self._sender = Sender(kafka, DEAD_LETTERS._replace(name=topic))

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the cluster has all of them. Raises TimeoutError, KafkaError: some may be sent."""
        await self._sender.send(list(dead_letters_out(letters)))

    async def close(self) -> None:
        """Let go, in bounded time."""
        await self._sender.close()
