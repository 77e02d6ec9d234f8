"""Members that come into a consumer group and leave it again, so that it deals its partitions anew all the time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from faults.deck import Card, drawn
from faults.history import History

from logintel.bus.kafka_connection import bounded
from logintel.config.shared import KafkaBusConfig
from logintel_collector.setting_up import GROUPS

#: Seconds between two comings of a storm, least and most, and members that come one after the other.
_BETWEEN: Final = (0.1, 0.8)


class Members:
    """Strangers with the names of the groups of `installation`; they take partitions and do nothing with them."""

    def __init__(
        self,
        kafka: KafkaBusConfig,
        installation: str,
        dice: random.Random,
        history: History,
        lasting: tuple[float, float],
    ) -> None:
        self._kafka, self._installation = kafka, installation
        self._dice, self._history, self._lasting = dice, history, lasting

    def cards(self) -> Sequence[Card]:
        """The storm."""
        return [Card(self._storm)]

    def _storm(self) -> None:
        seconds = drawn(self._dice, self._lasting)
        role = self._dice.choice(list(GROUPS))
        with self._history.fault("kafka: rebalance storm (members join and leave)", role):
            asyncio.run(self._come_and_go(f"{self._installation}-{role}", GROUPS[role], seconds))

    async def _come_and_go(self, group: str, topic: str, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self._visit(group, topic)

    async def _visit(self, group: str, topic: str) -> None:
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=list(self._kafka.bootstrap_servers),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=6000,
        )
        try:
            with suppress(KafkaError, OSError):
                await consumer.start()
            await asyncio.sleep(self._dice.uniform(*_BETWEEN))
        finally:
            await bounded(consumer.stop())
