"""The Kafka bus through faults of the network and the cluster: nothing lost, each stream in order, memory bounded,
nothing hangs, the trouble is named and passes by itself. Complaints are those that users of other agents raised."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code
from bus_topic import config, everything, records, refuse_none, topic, until
from fault_proxy import proxied

from logintel.bus import Record
from logintel.bus.kafka_producer import KafkaProducer
from logintel.identity import seq_of

#: Seconds after which the producer gives a broker up: many times in a test, where users have 30.
SOON = 0.5
STREAM = b"s" * 16
SEND = 20
IN_FLIGHT = 200_000


@dataclass
class Flow:
    """A stream that goes on whatever happens: SEND records of a kilobyte at a time, in order."""

    producer: KafkaProducer
    partition: int = 0
    answers: list[asyncio.Future[None]] = field(default_factory=list)
    ending: bool = False

    async def run(self) -> None:
        while not self.ending:
            some = records(STREAM, self.sent, SEND, os.urandom(1000))
            self.answers.append(asyncio.ensure_future(await self.producer.send(some, self.partition)))
            await asyncio.sleep(0.002)

    @property
    def sent(self) -> int:
        return SEND * len(self.answers)

    @property
    def delivered(self) -> int:
        return SEND * sum(answer.done() for answer in self.answers)

    async def more(self, count: int) -> None:
        """Until so many further records are delivered."""
        goal = self.delivered + count
        await until(lambda: self.delivered >= goal)

    async def full(self) -> None:
        """Until there is no room for more."""
        await until(lambda: self.sent - self.delivered >= IN_FLIGHT // 1000 - SEND)


@asynccontextmanager
async def flowing(producer: KafkaProducer, partition: int = 0) -> AsyncIterator[Flow]:
    """A flow that is ended and delivered at the end."""
    flow = Flow(producer, partition)
    running = asyncio.create_task(flow.run())
    try:
        await flow.more(5 * SEND)
        yield flow
        flow.ending = True
        async with asyncio.timeout(60):
            await running
            await asyncio.gather(*flow.answers)
    finally:
        running.cancel()
        async with asyncio.timeout(20):
            await producer.close()


@asynccontextmanager
async def administered(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def seqs(kafka: str, name: str, count: int, partition: int = 0) -> list[bytes]:
    """Those of the stream as they arrived first, and nothing that came again in between."""
    found = await everything(kafka, name, count)
    return list(dict.fromkeys(dict(record.headers)["seq"] for record in found[partition]))


def whole(count: int) -> list[bytes]:
    return [seq_of(place) for place in range(count)]


async def told(producer: KafkaProducer, *words: str) -> None:
    """Until there is a trouble with these words."""
    await until(lambda: all(word in str(producer.trouble) for word in words))


async def healthy(producer: KafkaProducer) -> None:
    await until(lambda: producer.trouble is None)


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


def test_complaint_7_closing_ends_in_time_while_the_broker_takes_nothing(kafka: str) -> None:
    async def run() -> None:
        async with topic(kafka) as name, proxied(kafka) as proxy:
            producer = KafkaProducer(config(proxy.address), refuse_none, name, in_flight=IN_FLIGHT)
            flow = Flow(producer)
            running = asyncio.create_task(flow.run())
            await flow.more(SEND)
            proxy.stall()
            await flow.full()
            running.cancel()
            async with asyncio.timeout(10):
                await producer.close()
            assert proxy.connections == 0

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


def test_complaint_6_a_topic_that_is_deleted_is_waited_for_and_so_is_its_partition(kafka: str) -> None:
    """Vector #25746. What was not acknowledged yet goes to the topic that takes its place."""

    async def run() -> None:
        async with topic(kafka) as name, administered(kafka) as admin:
            producer = KafkaProducer(config(kafka), refuse_none, name, in_flight=IN_FLIGHT, timeout=SOON)
            async with flowing(producer, partition=2) as flow:
                await admin.delete_topics([name])
                await told(producer, f"topic {name} is missing", "`logintel collector setup`")
                delivered = flow.delivered
                await made_again(admin, name)
                await told(producer, f"topic {name} has lost partition 2: add partitions to it again")
                await admin.create_partitions({name: NewPartitions(3)})
                await healthy(producer)
                await flow.more(SEND)
            found = await seqs(kafka, name, flow.sent - delivered, partition=2)
            assert found == whole(flow.sent)[delivered:]

    asyncio.run(run())


async def made_again(admin: AIOKafkaAdminClient, name: str) -> None:
    """With one partition; the broker may not be done with deleting."""
    error = TopicAlreadyExistsError
    while error is TopicAlreadyExistsError:
        answer = await admin.create_topics([NewTopic(name, 1, 1)])
        error = for_code(answer.topic_errors[0][1])


def test_partitions_that_are_added_take_new_streams_and_leave_the_others_where_they_are(kafka: str) -> None:
    async def run() -> None:
        async with topic(kafka) as name, administered(kafka) as admin:
            producer = KafkaProducer(config(kafka), refuse_none, name, in_flight=IN_FLIGHT, refresh=0.1)
            async with flowing(producer) as flow:
                await admin.create_partitions({name: NewPartitions(12)})
                other = b"another stream: "
                places: set[int] = set()
                async with asyncio.timeout(20):
                    while not places & set(range(3, 12)):
                        places.add(await producer.place(other := os.urandom(16)))
                        await asyncio.sleep(0.01)
                place = await producer.place(other)
                await (await producer.send(records(other, 0, 50), place))
            found = await everything(kafka, name, flow.sent + 50)
            assert [dict(record.headers)["seq"] for record in found[place] if record.key == other] == whole(50)
            assert {record.key for record in found[0]} == {STREAM}
            assert await seqs(kafka, name, flow.sent + 50) == whole(flow.sent)

    asyncio.run(run())


def test_complaint_8_a_limit_that_is_lowered_keeps_aside_only_what_is_over_it(kafka: str) -> None:
    """OpenTelemetry #14264 and others: one record over the limit dropped thousands, or was tried for ever."""
    aside: list[tuple[bytes, str]] = []

    async def keep(record: Record, error: str) -> None:
        aside.append((record.seq, error))

    async def run() -> None:
        async with topic(kafka) as name, administered(kafka) as admin:
            producer = KafkaProducer(config(kafka), keep, name, in_flight=IN_FLIGHT)
            async with flowing(producer) as flow:
                limit = ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": "8000"})
                await admin.alter_configs([limit])
                other = [
                    Record(os.urandom(9000 if place == 5 else 900), b"o" * 16, seq_of(place)) for place in range(9)
                ]
                async with asyncio.timeout(30):
                    await (await producer.send(other, 1))
                await flow.more(SEND)
                assert producer.trouble is None
            assert [seq for seq, _ in aside] == [seq_of(5)]
            assert "MessageSizeTooLarge" in aside[0][1]
            found = await everything(kafka, name, flow.sent + 8)
            assert [dict(record.headers)["seq"] for record in found[1]] == [seq_of(n) for n in range(9) if n != 5]
            assert await seqs(kafka, name, flow.sent + 8) == whole(flow.sent)

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


def test_a_clock_that_the_topic_does_not_take_is_named(kafka: str) -> None:
    async def run() -> None:
        async with topic(kafka) as name, administered(kafka) as admin:
            producer = KafkaProducer(config(kafka), refuse_none, name, in_flight=IN_FLIGHT, timeout=SOON)
            async with flowing(producer) as flow:
                old = {"message.timestamp.before.max.ms": "0"}
                await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, old)])
                await told(producer, f"Kafka refuses this host's time in topic {name}: set the clocks of both right")
                await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {})])
                await healthy(producer)
                await flow.more(SEND)
            assert await seqs(kafka, name, flow.sent) == whole(flow.sent)

    asyncio.run(run())
