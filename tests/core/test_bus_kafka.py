"""The Kafka bus against a real broker: what is sent arrives once, in order, and what cannot be taken is kept aside."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket

import lz4.frame
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.structs import ConsumerRecord
from bus_topic import config, everything, records, refuse_none, topic, until

from logintel.bus import Record, kafka_consumer, kafka_lz4, topics
from logintel.bus.kafka_assigned import AssignedConsumer
from logintel.bus.kafka_consumer import Consumed, GroupConsumer
from logintel.bus.kafka_producer import KafkaProducer
from logintel.bus.topics import ALL, set_up
from logintel.identity import seq_of


def test_streams_arrive_whole_in_order_each_in_its_partition(kafka: str) -> None:
    streams = [bytes([letter]) * 16 for letter in b"abcdef"]

    async def run() -> None:
        async with topic(kafka) as name:
            producer = KafkaProducer(config(kafka), refuse_none, name)
            places = {stream: await producer.place(stream) for stream in streams}
            sent = [
                await producer.send(records(stream, start, 50, os.urandom(900)), places[stream])
                for start in range(0, 600, 50)
                for stream in streams
            ]
            await asyncio.gather(*sent)
            await producer.close()
            found = await everything(kafka, name, 3600)
        for stream in streams:
            mine = [(record.value, record.headers) for record in found[places[stream]] if record.key == stream]
            assert [dict(headers)["seq"] for _, headers in mine] == [seq_of(place) for place in range(600)]
            assert all(dict(headers)["schema"] == b"1" for _, headers in mine)

    asyncio.run(run())


def test_memory_is_bounded(kafka: str) -> None:
    """A send beyond the bound waits until something before it is delivered."""

    async def run() -> None:
        async with topic(kafka) as name:
            producer = KafkaProducer(config(kafka), refuse_none, name, in_flight=100_000)
            first = await producer.send(records(b"s" * 16, 0, 90, b"x" * 1000), 0)
            second = asyncio.ensure_future(producer.send(records(b"s" * 16, 90, 90, b"x" * 1000), 0))
            await asyncio.sleep(0)
            assert not second.done()
            await first
            await (await second)
            await producer.close()

    asyncio.run(run())


def test_a_record_that_is_too_large_is_kept_aside_and_the_others_arrive(kafka: str) -> None:
    refused: list[tuple[bytes, str]] = []

    async def keep(record: Record, error: str) -> None:
        refused.append((record.seq, error))

    async def run() -> None:
        async with topic(kafka, **{"max.message.bytes": "20000"}) as name:
            producer = KafkaProducer(config(kafka), keep, name)
            mixed = records(b"s" * 16, 0, 60)
            for place in (7, 40):
                mixed[place] = mixed[place]._replace(value=os.urandom(30_000))
            await (await producer.send(mixed, 1))
            await producer.close()
            found = await everything(kafka, name, 58)
        assert [seq for seq, _ in refused] == [seq_of(7), seq_of(40)]
        assert all("MessageSizeTooLarge" in error for _, error in refused)
        order = list(dict.fromkeys(dict(record.headers)["seq"] for record in found[1]))
        assert order == [seq_of(place) for place in range(60) if place not in (7, 40)]

    asyncio.run(run())


def test_a_missing_topic_is_named_and_waited_for(kafka: str) -> None:
    async def run() -> None:
        name = f"test-{secrets.token_hex(6)}"
        producer = KafkaProducer(config(kafka), refuse_none, name)
        placing = asyncio.ensure_future(producer.place(b"s" * 16))
        await until(lambda: producer.trouble is not None)
        assert f"topic {name} is missing" in str(producer.trouble)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        assert name not in await admin.list_topics()  # asking made none
        await admin.create_topics([NewTopic(name, 3, 1)])
        assert await placing in range(3)
        await (await producer.send(records(b"s" * 16, 0, 3), 0))
        assert producer.trouble is None
        await admin.delete_topics([name])
        await admin.close()
        await producer.close()

    asyncio.run(run())


def test_a_broker_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    async def run(port: int) -> None:
        producer = KafkaProducer(config(f"127.0.0.1:{port}"), refuse_none, timeout=0.5)
        placing = asyncio.ensure_future(producer.place(b"s" * 16))
        await until(lambda: producer.trouble is not None)
        placing.cancel()
        await asyncio.wait({placing})
        async with asyncio.timeout(10):
            await producer.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody reads
        asyncio.run(run(silent.getsockname()[1]))


def test_topics_are_made_once(kafka: str) -> None:
    async def run() -> None:
        await set_up(config(kafka))
        assert await set_up(config(kafka)) == []
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        described = {entry["topic"]: len(entry["partitions"]) for entry in await admin.describe_topics()}
        await admin.close()
        assert {item.name: item.partitions for item in ALL}.items() <= described.items()

    asyncio.run(run())


def test_what_the_processor_writes_gets_as_many_partitions_as_it_reads(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"test-{secrets.token_hex(6)}"
    ingestion, processing = (topics.Topic(f"{name}-{each}", 2, 1) for each in ("in", "out"))
    monkeypatch.setattr(topics, "INGESTION", ingestion)
    monkeypatch.setattr(topics, "ALIKE", (processing,))
    monkeypatch.setattr(topics, "ALL", (ingestion, processing))

    async def run() -> None:
        assert await set_up(config(kafka)) == [ingestion.name, processing.name]
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        await admin.create_partitions({ingestion.name: NewPartitions(3)})
        async with asyncio.timeout(60):  # the broker hears of it a moment later
            while len((await admin.describe_topics([ingestion.name]))[0]["partitions"]) < 3:
                await asyncio.sleep(0.05)
        assert await set_up(config(kafka)) == [f"{processing.name} (3 partitions)"]
        await admin.delete_topics([ingestion.name, processing.name])
        await admin.close()

    asyncio.run(run())


def test_a_committed_place_is_where_the_group_goes_on(kafka: str) -> None:
    async def run() -> None:
        async with topic(kafka) as name:
            producer = KafkaProducer(config(kafka), refuse_none, name)
            await (await producer.send(records(b"s" * 16, 0, 20), 2))
            await producer.close()
            group = f"group-{secrets.token_hex(6)}"
            assert (await read_some(kafka, name, group, commit=12))[0].offset == 0
            assert (await read_some(kafka, name, group, commit=20))[0].offset == 12

    asyncio.run(run())


async def read_some(kafka: str, name: str, group: str, *, commit: int) -> list[Consumed]:
    assigned: set[int] = set()

    async def note(partitions: set[int]) -> None:
        assigned.update(partitions)

    consumer = GroupConsumer(config(kafka), name, group, on_assigned=note)
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            while not (batches := await consumer.read(1000, 1.0)):
                pass
        await consumer.commit({2: commit})
        assert await consumer.committed(2) == commit
        assert consumer.assigned == assigned == {0, 1, 2}
        return list(batches[0].records)
    finally:
        await consumer.stop()


def test_what_was_aborted_is_passed_over_whatever_is_read_at_once(kafka: str) -> None:
    async def run(at_once: int) -> None:
        async with topic(kafka) as name:
            await transact(kafka, name, [(b"a", True), (b"b", False), (b"c", True), (b"d", False), (b"e", True)])
            consumer = AssignedConsumer(config(kafka), name, {0: 0, 1: 0, 2: 0})
            await consumer.start()
            found: list[Consumed] = []
            async with asyncio.timeout(30):
                while await consumer.lag():
                    for batch in await consumer.read(at_once, 1.0):
                        assert batch.partition == 1
                        assert len(batch.records) <= at_once
                        found += batch.records
            await consumer.stop()
            others = await another_reader(kafka, TopicPartition(name, 1), len(found))
        assert [record.value for record in found] == [b"a%d" % n for n in range(3)] + [b"c%d" % n for n in range(3)] + [
            b"e%d" % n for n in range(3)
        ]
        # each transaction ends with a marker that takes an offset
        assert [record.offset for record in found] == [0, 1, 2, 8, 9, 10, 16, 17, 18]
        assert [record.headers for record in found] == [[("schema", b"1")]] * 9
        assert [(one.topic, one.offset, one.value) for one in others] == [
            (name, record.offset, record.value) for record in found
        ]

    for at_once in (1, 2, 1000):
        asyncio.run(run(at_once))


def test_who_joins_a_group_waits_for_a_member_that_finishes_its_step(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gave up after the time of one exchange left the group and came again, and so it never settled."""
    monkeypatch.setattr(kafka_consumer, "TIMEOUT", 1.0)

    async def finish(_partitions: set[int]) -> None:
        await asyncio.sleep(3)

    async def run() -> None:
        async with topic(kafka) as name:
            members = [GroupConsumer(config(kafka), name, f"{name}-group", on_revoked=finish) for _ in range(2)]
            for member in members:
                await member.start()
            assert {len(member.assigned) for member in members} == {1, 2}
            await asyncio.gather(*(member.stop() for member in members))

    asyncio.run(run())


def test_partitions_that_are_dealt_away_during_a_look_at_the_lag_do_not_count(kafka: str) -> None:
    """It ended the role, whose new start had the group dealt anew once more."""

    async def run() -> None:
        async with topic(kafka) as name:
            await transact(kafka, name, [(b"a", True)])
            consumer = AssignedConsumer(config(kafka), name, {0: 0, 1: 0, 2: 0})
            await consumer.start()
            async with asyncio.timeout(30):
                while not await consumer.lag():  # a commit is answered before its marker is written
                    await asyncio.sleep(0.05)
            looking = asyncio.create_task(consumer.lag())
            await asyncio.sleep(0)
            consumer._running.assign([])
            assert await looking == 0
            await consumer.stop()

    asyncio.run(run())


async def transact(kafka: str, name: str, transactions: list[tuple[bytes, bool]]) -> None:
    """Three records for partition 1 in each transaction, which is committed or not."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"test-{secrets.token_hex(6)}")
    await producer.start()
    for word, committed in transactions:
        await producer.begin_transaction()
        for number in range(3):
            await producer.send_and_wait(name, b"%s%d" % (word, number), partition=1, headers=[("schema", b"1")])
        await (producer.commit_transaction() if committed else producer.abort_transaction())
    await producer.stop()


async def another_reader(kafka: str, place: TopicPartition, count: int) -> list[ConsumerRecord]:
    """What a consumer that is none of ours reads in the same process."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest", group_id=None
    )
    consumer.assign([place])
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.parametrize("size", [0, 1, 70_000, 1_000_000])
def test_frames_hold_independent_blocks(size: int) -> None:
    """Bit 5 of the third byte says so (LZ4 frame format 1.6.1, FLG); linked blocks are refused by Kafka's readers."""
    data = (b"GET /index.html 200 " * size)[:size]
    frame = kafka_lz4.encode(data)
    assert frame[4] & 0b0010_0000
    assert lz4.frame.decompress(frame) == data == kafka_lz4.decode(frame)
