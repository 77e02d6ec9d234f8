"""Gaps: records that were gone from the bus before a role had read them, counted and kept in topic stream-ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from logintel.bus.kafka_consumer import Gap
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import LEDGER
from logintel.config.shared import KafkaBusConfig
from logintel_collector.processor import stamp
from logintel_collector.roles.role import Progress
from logintel_collector.stream_ledger import gap_out


class GapLedger:
    """Of one reader. A gap that is found again after a crash has the same key, so it is kept once."""

    def __init__(self, kafka: KafkaBusConfig, reader: str, progress: Progress, topic: str = LEDGER.name) -> None:
        self._reader, self._progress = reader, progress
        self._sender = Sender(kafka, LEDGER._replace(name=topic))

    async def note(self, gap: Gap) -> None:
        """Return when the cluster has it. Raises TimeoutError, KafkaError."""
        await self._sender.send([gap_out(self._reader, gap, stamp(datetime.now(UTC)))])
        self._progress.gaps += 1
        self._progress.gap_records += gap.records or 0

    async def close(self) -> None:
        """Let go, in bounded time."""
        await self._sender.close()
