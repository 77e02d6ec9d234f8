"""Dead letters of roles that write to stores: to the topic log-dead-letter, before the offset is committed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from logintel.bus.kafka_consumer import Consumed
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import DEAD_LETTERS
from logintel.config.shared import KafkaBusConfig
from logintel.dead_letter import DeadLetter, Stage
from logintel_collector.processor import stamp
from logintel_collector.roles.messages import dead_letters_out


class LetterWriter:
    """Makes the letters of one stage, of records of log-processing."""

    def __init__(self, stage: Stage, config_version: str) -> None:
        self._stage, self._config_version = stage, config_version

    def of(self, record: Consumed, log_id: str, reason: str, error: str, attempts: int = 1) -> DeadLetter:
        """Of one record, now."""
        created_at, original = stamp(datetime.now(UTC)), record.value or b""
        stream, seq = record.key or b"", dict(record.headers).get("seq", b"")
        return DeadLetter(
            log_id, self._stage, reason, error, attempts, original, self._config_version, created_at, stream, seq
        )


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
