"""The Kafka bus on a cluster that is changed beneath it: what cannot be taken now is taken when it can be, in order.

Complaints are those that users of other agents raised.
"""

from __future__ import annotations

import asyncio
import os

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code
from bus_flow import IN_FLIGHT, SEND, SOON, STREAM, administered, flowing, healthy, seqs, told, whole
from bus_topic import config, everything, records, refuse_none, topic

from logintel.bus import Record
from logintel.bus.kafka_producer import KafkaProducer
from logintel.identity import seq_of


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
