"""The store role on a real broker: one step ahead of its store, never two; what is only ready is read again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from bus_topic import config, records, refuse_none, topic, until

from logintel.bus.kafka_consumer import Consumed
from logintel.bus.kafka_groups import commit_start
from logintel.bus.kafka_producer import KafkaProducer
from logintel.bus.topics import LEDGER
from logintel_collector.roles.group_role import STEP
from logintel_collector.roles.store_role import StoreRole

COUNT = 3 * STEP


class Shelf(StoreRole[list[int]]):
    """Stores offsets once it may; `ready` counts those that were made ready."""

    name = "recorder"

    def __init__(self, kafka: str, topic: str, group: str) -> None:
        super().__init__(config(kafka), topic, group, LEDGER.name)
        self.opened = asyncio.Event()
        self.stored: list[int] = []
        self.ready = 0

    def begin(self) -> list[int]:
        return []

    def add(self, made: list[int], partition: int, records: Sequence[Consumed]) -> None:
        made += [record.offset for record in records]
        self.ready += len(records)

    async def store(self, made: list[int]) -> None:
        await self.opened.wait()
        self.stored += made


def test_one_step_is_ready_while_one_is_stored_and_is_read_again_by_the_next_owner(kafka: str) -> None:
    async def scenario() -> None:
        async with topic(kafka) as name:
            producer = KafkaProducer(config(kafka), refuse_none, name)
            await (await producer.send(records(b"s" * 16, 0, COUNT), 0))
            await producer.close()
            group = f"group-{secrets.token_hex(6)}"
            await commit_start(config(kafka), group, name)
            first, stop = Shelf(kafka, name, group), asyncio.Event()
            running = asyncio.create_task(first.run(stop))
            await until(lambda: first.ready == 2 * STEP)
            assert first.stored == []
            stop.set()
            first.opened.set()
            await running
            assert first.stored == list(range(STEP))
            assert first.progress.done == STEP
            second, stop = Shelf(kafka, name, group), asyncio.Event()
            second.opened.set()
            running = asyncio.create_task(second.run(stop))
            await until(lambda: second.progress.done == COUNT - STEP)
            stop.set()
            await running
            assert second.stored == list(range(STEP, COUNT))

    asyncio.run(scenario())
