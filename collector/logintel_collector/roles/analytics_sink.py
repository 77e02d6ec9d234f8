"""The analyst's sink: metrics to topic analytics, what it remembers to topic analyst-looks, in one transaction.

Whoever opens it fences everyone who had it before, and only then reads what is remembered: two never both go on.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from logintel.bus.kafka_batch import Message
from logintel.bus.topics import ANALYTICS, LOOKS
from logintel.config.shared import KafkaBusConfig
from logintel_collector.analytics.point import Point
from logintel_collector.analytics.state import State
from logintel_collector.roles.stream_positions import read_positions
from logintel_collector.roles.transactions import Transactions

_SCHEMA: Final = ("schema", b"1")
#: The partition of topic analyst-looks.
_ONLY: Final = 0


class AnalyticsSink:
    """See Sink. Raises Poisoned, TimeoutError, KafkaError; after any error it cannot be used any more."""

    def __init__(self, transactions: Transactions, partitions: int, metrics: str, looks: str) -> None:
        self._transactions, self._partitions = transactions, partitions
        self._metrics, self._looks = metrics, looks

    @classmethod
    async def open(
        cls,
        kafka: KafkaBusConfig,
        installation: str,
        most_values: int,
        metrics: str = ANALYTICS.name,
        looks: str = LOOKS.name,
    ) -> tuple[AnalyticsSink, State]:
        """The sink, and the state that was saved last. Raises TimeoutError, KafkaError."""
        transactions = await Transactions.open(kafka, f"{installation}/analyst")
        try:
            sink = cls(transactions, (await transactions.partitions([metrics]))[metrics], metrics, looks)
            return sink, State((await read_positions(kafka, looks, _ONLY)).last, most_values)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(transactions.close()))
            raise

    async def save(self, points: Sequence[Point], changes: Mapping[bytes, bytes | None], version: int) -> None:
        """See Sink."""
        parts: dict[int, list[Message]] = {}
        headers = [("version", str(version).encode()), _SCHEMA]
        for point in points:
            for metric_id, document in point.documents():
                key = metric_id.encode()
                part = parts.setdefault(zlib.crc32(key) % self._partitions, [])
                part.append((key, orjson.dumps(document), headers))
        remembered: list[Message] = [(key, value, [_SCHEMA]) for key, value in changes.items()]
        messages = [(self._metrics, partition, part) for partition, part in parts.items()]
        await self._transactions.send(*messages, (self._looks, _ONLY, remembered))
        await self._transactions.commit()

    async def close(self) -> None:
        """Let go, in bounded time; a transaction that is still open is aborted by whoever opens it next."""
        await self._transactions.close()
