"""The Kafka bus on a bad network: nothing lost, in order, memory bounded, nothing hangs, and the trouble is named.

Complaints are those that users of other agents raised.
"""

from __future__ import annotations

import asyncio
import os

from aiokafka.admin import NewPartitions
from bus_flow import IN_FLIGHT, SEND, SOON, STREAM, administered, flowing, healthy, seqs, told, whole
from bus_topic import config, records, refuse_none, topic, until
from fault_proxy import proxied

from logintel.bus import Record
from logintel.bus.kafka_producer import KafkaProducer
from logintel.identity import seq_of


def test_complaint_6_an_outage_longer_than_every_timeout_loses_nothing(kafka: str) -> None:
    """Vector #13714, rsyslog #1052 and others: what a client held expired, or was taken without bound. Nothing is dropped
    for want of room either (complaint 21, OpenTelemetry #31074): `send` waits."""

    async def run() -> None:
        async with topic(kafka) as name, proxied(kafka) as proxy:
            producer = KafkaProducer(config(proxy.address), refuse_none, name, in_flight=IN_FLIGHT, timeout=SOON)
            async with flowing(producer) as flow:
                proxy.refuse()
                await told(producer, f"Kafka at {proxy.address} refuses the connection: is it running")
                await flow.full()
                await asyncio.sleep(4 * SOON)
                assert flow.sent - flow.delivered <= IN_FLIGHT // 1000
                await proxy.listen()
                await healthy(producer)
                await flow.more(2 * IN_FLIGHT // 1000)
            assert await seqs(kafka, name, flow.sent) == whole(flow.sent)

    asyncio.run(run())


def test_complaint_7_a_half_open_connection_hangs_nothing_and_is_not_kept(kafka: str) -> None:
    """aio-libs/aiokafka #1101: `send_and_wait` and `stop` waited for ever. Each try's connection is let go of, and the
    silence is told (complaint 18, Fluent Bit #1958: nothing moved, and it said that all was well)."""

    async def run() -> None:
        async with topic(kafka) as name, proxied(kafka) as proxy:
            producer = KafkaProducer(config(proxy.address), refuse_none, name, in_flight=IN_FLIGHT, timeout=SOON)
            async with flowing(producer) as flow:
                proxy.stall()
                await told(producer, f"Kafka at {proxy.address} gives no answer in time")
                before = proxy.accepted
                await until(lambda: proxy.accepted >= before + 5)
                assert proxy.connections <= 2
                await told(producer, f"Kafka at {proxy.address} does not answer: it is away, stuck")
                proxy.flow()
                await healthy(producer)
                await flow.full()
                await flow.more(SEND)
            assert await seqs(kafka, name, flow.sent) == whole(flow.sent)

    asyncio.run(run())


def test_complaint_7_closing_ends_in_time_and_keeps_nothing_while_the_broker_takes_nothing(kafka: str) -> None:
    """More is written than the kernel holds (tcp(7): 4 MiB of tcp_wmem), in one request with a batch of each partition."""

    async def run() -> None:
        async with topic(kafka) as name, administered(kafka) as admin, proxied(kafka) as proxy:
            await admin.create_partitions({name: NewPartitions(12)})
            producer = KafkaProducer(config(proxy.address), refuse_none, name)
            some = [Record(os.urandom(1000), STREAM, seq_of(place)) for place in range(700)]
            await (await producer.send(some[:1], 0))
            proxy.stall()
            for partition in range(12):
                await producer.send(some, partition)
            await until(lambda: proxy.stuck > 0)
            async with asyncio.timeout(10):
                await producer.close()
            await until(lambda: proxy.connections == 0)

    asyncio.run(run())


def test_lost_answers_and_cut_connections_keep_the_order(kafka: str) -> None:
    async def run() -> None:
        async with topic(kafka) as name, proxied(kafka) as proxy:
            producer = KafkaProducer(config(proxy.address), refuse_none, name, in_flight=IN_FLIGHT)
            async with flowing(producer) as flow:
                for _ in range(5):
                    proxy.lose_answers = 2
                    await until(lambda: proxy.lose_answers == 0)
                    proxy.cut()
                    await flow.more(5 * SEND)
            assert await seqs(kafka, name, flow.sent) == whole(flow.sent)

    asyncio.run(run())


def test_a_way_too_slow_for_a_whole_batch_is_served_with_smaller_ones(kafka: str) -> None:
    """300 kB at 200 kB/s take longer than the producer waits; sent again as they were they would never arrive."""

    async def run() -> None:
        async with topic(kafka) as name, proxied(kafka) as proxy:
            producer = KafkaProducer(config(proxy.address), refuse_none, name, timeout=0.8)
            await (await producer.send(records(STREAM, 0, 1), 0))
            proxy.rate = 200_000
            async with asyncio.timeout(60):
                rest = [Record(os.urandom(1000), STREAM, seq_of(place)) for place in range(1, 300)]
                await (await producer.send(rest, 0))
            await producer.close()
            assert await seqs(kafka, name, 300) == whole(300)

    asyncio.run(run())


def test_an_address_that_a_broker_names_in_vain_is_told_with_who_named_it(kafka: str) -> None:
    async def run() -> None:
        async with topic(kafka) as name, proxied(kafka) as proxy:
            proxy.named = 9
            producer = KafkaProducer(config(proxy.address), refuse_none, name, timeout=SOON)
            sending = asyncio.ensure_future(producer.send(records(STREAM, 0, 3)))
            await told(
                producer, "Kafka at 127.0.0.1:9 refuses the connection", f"(named by {proxy.address}; is advertised"
            )
            proxy.named = 0
            async with asyncio.timeout(30):
                await (await sending)
            await producer.close()
            assert producer.trouble is None

    asyncio.run(run())


def test_too_few_replicas_are_named(kafka: str) -> None:
    """Error 19, NOT_ENOUGH_REPLICAS: one broker cannot say it by itself, so it is put in its mouth."""

    async def run() -> None:
        async with topic(kafka) as name, proxied(kafka) as proxy:
            producer = KafkaProducer(config(proxy.address), refuse_none, name, in_flight=IN_FLIGHT, timeout=SOON)
            async with flowing(producer) as flow:
                proxy.error = 19
                await told(
                    producer, f"too few replicas of topic {name} are in sync for Kafka to take it: bring brokers"
                )
                proxy.error = 0
                await healthy(producer)
                await flow.more(SEND)
            assert await seqs(kafka, name, flow.sent) == whole(flow.sent)

    asyncio.run(run())
