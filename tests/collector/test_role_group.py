"""Group roles on a real broker: a slow store loses no partitions, and what is gone from the bus is never jumped over."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from structlog.testing import capture_logs

from logintel.bus import kafka_consumer
from logintel.bus.kafka_consumer import GroupConsumer, PartitionBatch
from logintel.bus.kafka_groups import commit_start
from logintel.bus.kafka_scan import scan
from logintel.config.shared import KafkaBusConfig
from logintel_collector.roles import RoleName
from logintel_collector.roles.group_role import GroupRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stream_ledger import KnownGap, entry_of

PARTITIONS = 2


class Taker(GroupRole):
    """Notes what it is given; `gate`: as slow as its store is."""

    name: RoleName = "indexer"

    def __init__(self, kafka: KafkaBusConfig, topic: str, group: str = "") -> None:
        super().__init__(kafka, topic, group or f"{topic}-indexer", f"{topic}-ledger")
        self.taken: list[tuple[int, int]] = []
        self.busy, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def prepare(self, consumer: GroupConsumer) -> None: ...

    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:
        self.busy.set()
        await self.gate.wait()
        await consumer.commit({batch.partition: batch.records[-1].offset + 1 for batch in batches})
        self.taken += [(batch.partition, record.offset) for batch in batches for record in batch.records]
        self.progress.done = len(self.taken)

    async def release(self) -> None: ...


@asynccontextmanager
async def topic(kafka: str) -> AsyncIterator[tuple[KafkaBusConfig, str, AIOKafkaAdminClient]]:
    name, config = f"test-{secrets.token_hex(6)}", KafkaBusConfig(bootstrap_servers=(kafka,))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1), NewTopic(f"{name}-ledger", 1, 1)])
        await commit_start(config, f"{name}-indexer", name)
        yield config, name, admin
        await admin.delete_topics([name, f"{name}-ledger"])
    finally:
        await admin.close()


async def send(kafka: KafkaBusConfig, name: str, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=list(kafka.bootstrap_servers))
    await producer.start()
    try:
        for number in range(count):
            await producer.send_and_wait(name, b"%d" % number, partition=number % PARTITIONS)
    finally:
        await producer.stop()


async def until(true: Any) -> None:
    async with asyncio.timeout(120):
        while not true():
            await asyncio.sleep(0.05)


async def gaps(kafka: KafkaBusConfig, name: str) -> list[tuple[int, int | None, int, int | None]]:
    """(partition, wanted, continued from, records) of each that stands in the ledger."""
    found = [entry_of(record.key, record.value) async for page in scan(kafka, f"{name}-ledger") for record in page]
    gaps = [entry for entry in found if isinstance(entry, KnownGap)]
    assert len(gaps) == len(found)
    return [(gap.partition, gap.wanted, gap.continued_from, gap.records) for gap in gaps]


def test_a_store_that_is_slower_than_the_session_loses_no_partition(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another member comes while the first one waits for its store, for longer than both time-outs of the group."""
    monkeypatch.setattr(kafka_consumer, "SESSION", 6.0)  # the least that a broker takes

    async def scenario() -> None:
        async with topic(kafka) as (config, name, _):
            first, second = Taker(config, name), Taker(config, name)
            stop = asyncio.Event()
            first.gate.clear()
            await send(config, name, 20)
            running = [asyncio.create_task(run_roles([first], stop))]
            await until(first.busy.is_set)
            running.append(asyncio.create_task(run_roles([second], stop)))
            await asyncio.sleep(7.5)
            assert (first.taken, second.taken) == ([], [])
            first.gate.set()
            await until(lambda: first.taken)
            await send(config, name, 20)
            await until(lambda: len(first.taken) + len(second.taken) >= 40)
            stop.set()
            await asyncio.gather(*running)
            taken = sorted(first.taken + second.taken)
            assert taken == [(partition, offset) for partition in range(PARTITIONS) for offset in range(20)]
            assert second.taken, "the partitions were not dealt anew"
            assert (first.progress.tries, second.progress.tries) == (0, 0)

    asyncio.run(scenario())


def test_what_is_gone_is_counted_and_kept_and_read_on_from_the_earliest(kafka: str) -> None:
    async def scenario() -> None:
        async with topic(kafka) as (config, name, admin):
            await send(config, name, 20)
            before = {TopicPartition(name, 0): RecordsToDelete(before_offset=7)}
            await admin.delete_records(before)
            role = Taker(config, name)
            with capture_logs() as logs:
                await run_roles([role], asyncio.Event(), once=True)
            assert [offset for partition, offset in role.taken if partition == 0] == [7, 8, 9]
            assert (role.progress.gaps, role.progress.gap_records) == (1, 7)
            (said,) = [entry for entry in logs if entry["event"] == "bus_gap"]
            assert (said["log_level"], said["partition"], said["wanted"], said["records"]) == ("error", 0, 0, 7)
            assert await gaps(config, name) == [(0, 0, 7, 7)]

            # A group whose offsets have vanished, as they do a week after its last member was there.
            again = Taker(config, name, f"{name}-anew")
            await run_roles([again], asyncio.Event(), once=True)
            assert len(again.taken) == 13
            assert sorted(await gaps(config, name), key=str) == [(0, 0, 7, 7), (0, None, 7, None)]

    asyncio.run(scenario())


def test_a_topic_that_is_made_anew_is_read_from_its_beginning(kafka: str) -> None:
    async def scenario() -> None:
        async with topic(kafka) as (config, name, admin):
            role, stop = Taker(config, name), asyncio.Event()
            running = asyncio.create_task(run_roles([role], stop))
            await send(config, name, 20)
            await until(lambda: len(role.taken) == 20)
            await admin.delete_topics([name])
            await until_gone(admin, name)
            await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
            await send(config, name, 4)
            await until(lambda: len(role.taken) >= 24)
            stop.set()
            await running
            assert sorted(role.taken[20:]) == [(0, 0), (0, 1), (1, 0), (1, 1)]

    asyncio.run(scenario())


async def until_gone(admin: AIOKafkaAdminClient, name: str) -> None:
    async with asyncio.timeout(60):
        while name in await admin.list_topics():
            await asyncio.sleep(0.05)
