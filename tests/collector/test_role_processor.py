"""The processor's lane on a real broker: fenced, in transactions, each event exactly once."""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError
from enriching import enricher

from logintel.bus import Record, kafka_lz4, kafka_replay
from logintel.config.shared import KafkaBusConfig
from logintel.encoder import Encoder
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.event import Envelope, Event
from logintel.identity import identify
from logintel_collector.config import CollectorConfig
from logintel_collector.enrichment.enrichment import Enrichment
from logintel_collector.processor import Processor
from logintel_collector.roles.messages import is_replay
from logintel_collector.roles.processor_lane import Lane, Route, group_of
from logintel_collector.roles.processor_role import ProcessorRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.roles.transactions import Poisoned
from logintel_collector.stream_ledger import StreamRange, entry_of

STAMP = "2026-03-04T05:06:07.000000Z"
NOW = datetime(2026, 3, 5, tzinfo=UTC)
ENVELOPE = Envelope("6f1d5c2e-8a0b-5f4e-9c57-1f0e6c6f6769", {"source_type": "application"})
ENCODER = Encoder(ENVELOPE)


def processor() -> Processor:
    return Processor(lambda: NOW)


def events(stream: bytes, start: int, count: int, fill: str = "") -> list[Record]:
    """Encoded events of a stream whose raw texts are `STREAM NUMBER fill`."""
    spans = [(n, n + 1) for n in range(start, start + count)]
    return [
        Record(ENCODER.encode(Event(raw=f"{stream.hex()} {n} {fill}"), STAMP, "record", log_id), stream, seq)
        for n, log_id, seq in zip(range(start, start + count), *identify(stream, spans), strict=True)
    ]


class Read(NamedTuple):
    """What a consumer reads."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Cluster:
    """Topics of one test on a broker."""

    kafka: str
    installation: str
    route: Route

    @property
    def config(self) -> KafkaBusConfig:
        return KafkaBusConfig(bootstrap_servers=(self.kafka,))

    async def send(self, records: Sequence[Record], partition: int = 0) -> list[Read]:
        """Put events on log-ingestion; what a consumer would read."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, enable_idempotence=True)
        await producer.start()
        try:
            answers = [
                await producer.send(
                    self.route.ingestion, record.value, record.stream, partition, headers=[("seq", record.seq)]
                )
                for record in records
            ]
            offsets = [(await answer).offset for answer in answers]
        finally:
            await producer.stop()
        return [
            Read(offset, record.stream, record.value, [("seq", record.seq)])
            for offset, record in zip(offsets, records, strict=True)
        ]

    async def committed(self, partition: int) -> int:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=group_of(self.installation))
        await consumer.start()
        try:
            return await consumer.committed(TopicPartition(self.route.ingestion, partition)) or 0
        finally:
            await consumer.stop()

    async def lane(self, partition: int = 0) -> Lane:
        return await Lane.open(self.config, self.installation, partition, self.route, self.committed)

    async def read(self, topic: str) -> list[Any]:
        """Every committed record of a topic, to its end."""
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        found = []
        try:
            places = [TopicPartition(topic, number) for number in sorted(await self._partitions(consumer, topic))]
            consumer.assign(places)
            ends = await self._ends(consumer, places)
            async with asyncio.timeout(30):
                while any([await consumer.position(place) < ends[place] for place in places]):
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        found += records
        finally:
            await consumer.stop()
        return found

    async def _ends(self, consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Where committed records end. The broker answers a commit before it writes its marker: that is waited for, as
        long as it may take; a transaction that a test leaves open has none."""
        anyone = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await anyone.start()
        try:
            for _ in range(20):
                ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
                if ends == await anyone.end_offsets(places):
                    break
                await asyncio.sleep(0.1)
        finally:
            await anyone.stop()
        return ends

    async def texts(self) -> list[str]:
        """The raw texts on log-processing, in order."""
        return [orjson.loads(record.value)["raw_log"].strip() for record in await self.read(self.route.processing)]

    @staticmethod
    async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
        cluster = await consumer._client.fetch_all_metadata()
        return set(cluster.partitions_for_topic(topic))


@asynccontextmanager
async def cluster(
    kafka: str, partitions: int = 1, max_document: int = Route().max_document, max_message: int = 2**21
) -> AsyncIterator[Cluster]:
    name = f"test-{secrets.token_hex(6)}"
    names = [f"{name}-{each}" for each in ("ingestion", "processing", "positions", "dead", "ledger")]
    route = Route(names[0], names[1], names[2], names[3], names[4], max_document)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(route.ingestion, partitions, 1),
                NewTopic(route.processing, partitions, 1, topic_configs={"max.message.bytes": str(max_message)}),
                NewTopic(route.positions, partitions, 1, topic_configs={"cleanup.policy": "compact"}),
                NewTopic(route.dead_letters, 2, 1),
                NewTopic(route.ledger, partitions, 1, topic_configs={"cleanup.policy": "compact"}),
            ]
        )
        yield Cluster(kafka, name, route)
        await admin.delete_topics(names)
    finally:
        await admin.close()


def numbered(stream: bytes, numbers: Iterable[int]) -> list[str]:
    return [f"{stream.hex()} {n}" for n in numbers]


def test_a_document_carries_what_the_next_roles_need(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka, partitions=3) as on:
            stream = secrets.token_bytes(16)
            (log_id,), (seq,) = identify(stream, [(5, 6)])
            old = ENCODER.encode(Event(raw="old"), "1999-01-01T00:00:00.000000Z", "record", log_id)
            sent = [*events(stream, 0, 2), Record(old, stream, seq)]
            read = await on.send(sent, partition=2)
            lane = await on.lane(2)
            await lane.take(processor(), read)
            await lane.close()
            found = await on.read(on.route.processing)
            assert [(record.partition, record.key) for record in found] == [(2, stream)] * 3
            headers = [dict(record.headers) for record in found]
            assert [header["seq"] for header in headers] == [record.seq for record in sent]
            assert [header["day"] for header in headers] == [b"2026.03.04", b"2026.03.04", b""]
            assert [header["log_id"].decode() for header in headers] == [orjson.loads(r.value)["log_id"] for r in sent]
            assert {header["schema"] for header in headers} == {b"1"}
            assert orjson.loads(found[0].value)["processing_status"] == "processed"

    asyncio.run(scenario())


def test_a_zombie_in_mid_transaction_adds_nothing_when_it_wakes(kafka: str) -> None:
    """The former owner sleeps with a transaction open, the next one does the same records, the former goes on."""

    async def scenario() -> None:
        async with cluster(kafka) as on:
            stream = secrets.token_bytes(16)
            read = await on.send(events(stream, 0, 20))
            zombie = await on.lane()
            await zombie.take(processor(), read[:5])
            await zombie.send(processor(), read[5:])
            heir = await on.lane()
            assert heir.next == read[5].offset
            await heir.take(processor(), read[5:])
            with pytest.raises(KafkaError):
                await zombie.commit()
            await zombie.close()
            await heir.close()
            assert await on.texts() == numbered(stream, range(20))

    asyncio.run(scenario())


def test_a_zombie_that_sleeps_before_its_transaction_adds_nothing_either(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka) as on:
            stream = secrets.token_bytes(16)
            read = await on.send(events(stream, 0, 20))
            zombie = await on.lane()
            heir = await on.lane()
            await heir.take(processor(), read)
            with pytest.raises(KafkaError):
                await zombie.take(processor(), read)
            await zombie.close()
            await heir.close()
            assert await on.texts() == numbered(stream, range(20))

    asyncio.run(scenario())


def test_a_repeat_is_known_to_the_next_owner(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka) as on:
            stream, other = secrets.token_bytes(16), secrets.token_bytes(16)
            read = await on.send(events(stream, 0, 10) + events(other, 0, 3))
            first = await on.lane()
            await first.take(processor(), read)
            await first.close()
            again = await on.send(events(stream, 5, 10))
            second = await on.lane()
            account = await second.take(processor(), again)
            await second.close()
            assert account.repeats == 5
            assert await on.texts() == numbered(stream, range(10)) + numbered(other, range(3)) + numbered(
                stream, range(10, 15)
            )

    asyncio.run(scenario())


def test_a_dead_letter_that_is_sent_once_more_passes_and_moves_nothing(kafka: str) -> None:
    """Complaint 9 of what is missing elsewhere: a replay keeps the id, and may come twice."""

    async def scenario() -> None:
        async with cluster(kafka) as on:
            stream = secrets.token_bytes(16)
            sent = events(stream, 0, 10)
            read = await on.send([*sent[:3], *sent[4:8]])
            lane = await on.lane()
            await lane.take(processor(), read)
            last = max(record.offset for record in read)
            again = [kafka_replay.message(record) for record in (sent[3], sent[3], Record(b"{}", stream, sent[2].seq))]
            replays = [Read(last + n, *message) for n, message in enumerate(again, 1)]
            account = await lane.take(processor(), replays)
            assert (account.replays, account.repeats, account.positions) == (3, 0, {})
            assert [letter.reason for letter in account.dead_letters] == ["undecodable"]
            # The stream goes on where it was.
            account = await lane.take(processor(), await on.send(sent[7:]))
            await lane.close()
            assert (account.repeats, account.positions) == (1, {stream: sent[9].seq})
            assert await on.texts() == numbered(stream, [0, 1, 2, 4, 5, 6, 7, 3, 3, 8, 9])
            found = await on.read(on.route.processing)
            assert [is_replay(record) for record in found] == [False] * 7 + [True] * 2 + [False] * 2
            assert dict(found[7].headers)["log_id"].decode() == orjson.loads(sent[3].value)["log_id"]

    asyncio.run(scenario())


def test_what_no_stream_is_known_of_becomes_a_dead_letter(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka) as on:
            stream = secrets.token_bytes(16)
            good = events(stream, 0, 3)
            read = await on.send(
                [good[0], Record(b"foreign", b"short", b"1"), Record(b"{}", stream, good[1].seq), good[2]]
            )
            lane = await on.lane()
            account = await lane.take(processor(), read)
            await lane.close()
            assert len(account.dead_letters) == 2
            assert await on.texts() == [f"{stream.hex()} {n}" for n in (0, 2)]
            letters = [orjson.loads(record.value) for record in await on.read(on.route.dead_letters)]
            assert sorted((letter["reason"], letter["original"]) for letter in letters) == [
                ("undecodable", "e30="),
                ("unidentified", "Zm9yZWlnbg=="),
            ]
            assert {letter["stage"] for letter in letters} == {"processor"}

    asyncio.run(scenario())


def test_a_document_above_the_limit_is_cut_and_says_so(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka, max_document=4000) as on:
            stream = secrets.token_bytes(16)
            read = await on.send([*events(stream, 0, 1, fill="x" * 20_000), *events(stream, 1, 1)])
            lane = await on.lane()
            await lane.take(processor(), read)
            await lane.close()
            long, short = [orjson.loads(record.value) for record in await on.read(on.route.processing)]
            assert long["tags"] == ["_cut"]
            assert long["metadata"]["cut_from"] > 40_000
            assert long["raw_log"].startswith(stream.hex())
            assert short["tags"] == []

    asyncio.run(scenario())


def test_an_idle_stream_is_forgotten(kafka: str) -> None:
    """A stream whose last position is older than thirty days; the test writes the time of it."""

    async def scenario() -> None:
        async with cluster(kafka) as on:
            idle, busy = secrets.token_bytes(16), secrets.token_bytes(16)
            producer = AIOKafkaProducer(bootstrap_servers=kafka)
            await producer.start()
            await producer.send_and_wait(on.route.positions, b"\0" * 12, idle, 0, timestamp_ms=1_600_000_000_000)
            await producer.send_and_wait(on.route.positions, b"\0" * 12, busy, 0)
            await producer.stop()
            lane = await on.lane()
            assert await lane.forget_idle() == 1
            assert await lane.forget_idle() == 0
            await lane.close()
            last = {record.key: record.value for record in await on.read(on.route.positions)}
            assert last == {idle: None, busy: b"\0" * 12}

    asyncio.run(scenario())


def test_records_that_the_cluster_refuses_leave_nothing_behind(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka, max_message=4000) as on:
            stream = secrets.token_bytes(16)
            read = await on.send([*events(stream, 0, 1), *events(stream, 1, 1, fill=secrets.token_hex(20_000))])
            lane = await on.lane()
            with pytest.raises(Poisoned):
                await lane.take(processor(), read)
            await lane.close()
            lane = await on.lane()
            assert lane.next == 0
            await lane.take(processor(), read[:1])
            buried = await lane.bury(processor(), read[1], "too long")
            await lane.close()
            assert [letter.reason for letter in buried.dead_letters] == ["refused"]
            assert await on.texts() == numbered(stream, range(1))
            (letter,) = [orjson.loads(record.value) for record in await on.read(on.route.dead_letters)]
            assert letter["log_id"] == orjson.loads(read[1].value or b"")["log_id"]

    asyncio.run(scenario())


def test_a_partition_that_only_log_ingestion_has_is_refused_with_what_to_do(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka) as on:
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
            await admin.start()
            await admin.create_partitions({on.route.ingestion: NewPartitions(2)})
            async with asyncio.timeout(60):  # the broker hears of it a moment later
                while len((await admin.describe_topics([on.route.ingestion]))[0]["partitions"]) < 2:
                    await asyncio.sleep(0.05)
            await admin.close()
            config = CollectorConfig.model_validate({"installation": on.installation, "bus": {"kafka": on.config}})
            role = ProcessorRole(config, processor(), on.route)
            with pytest.raises(ExceptionGroup) as raised:
                await run_roles([role], asyncio.Event(), once=True)
            (refused,) = raised.value.exceptions
            counts = (
                f"topic {on.route.processing} has 1 partitions, {on.route.ingestion} has 2: the processor needs as many"
            )
            assert str(refused) == f"{counts}: run `logintel collector setup`, which adds them"

    asyncio.run(scenario())


def test_what_was_passed_on_is_in_the_ledger_whoever_dies(kafka: str) -> None:
    """Counts by stream and day, in the transaction of the events; what is aborted is in neither."""

    async def scenario() -> None:
        async with cluster(kafka) as on:
            one, other = secrets.token_bytes(16), secrets.token_bytes(16)
            read = await on.send(
                [*events(one, 0, 10), *events(other, 0, 5), Record(b"{}", one, events(one, 10, 1)[0].seq)]
            )
            zombie = await on.lane()
            await zombie.take(processor(), read[:4])
            await zombie.send(processor(), read[4:])
            heir = await on.lane()
            await heir.take(processor(), read[4:])
            again = await on.send([*events(one, 3, 2), *events(other, 5, 2)])
            await heir.take(processor(), again)
            await heir.close()
            await zombie.close()
            newest = {record.key: record.value for record in await on.read(on.route.ledger)}
            ranges = [entry_of(key, value) for key, value in newest.items()]
            assert all(isinstance(known, StreamRange) and known.installation == on.installation for known in ranges)
            found = sorted(
                (k.stream == one, *k.days.items(), k.dead_letters) for k in ranges if isinstance(k, StreamRange)
            )
            day = "2026.03.04"
            assert found == [(False, (day, 7), 0), (True, (day, 4), 0), (True, (day, 6), 1)]

    asyncio.run(scenario())


#: A processor as a process of its own; ends when it has caught up, if told so.
PROCESS = """
import asyncio, sys
from datetime import UTC, datetime
from logintel_collector.config import CollectorConfig
from logintel_collector.processor import Processor
from logintel_collector.roles.processor_lane import Route
from logintel_collector.roles.processor_role import ProcessorRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.roles.transactions import Poisoned

kafka, installation, once, *topics = sys.argv[1:]
bus = {"kafka": {"bootstrap_servers": [kafka]}}
config = CollectorConfig.model_validate({"installation": installation, "bus": bus, "roles": ["processor"]})
role = ProcessorRole(config, Processor(lambda: datetime(2026, 3, 5, tzinfo=UTC)), Route(*topics))
asyncio.run(run_roles([role], asyncio.Event(), once=once == "once"))
"""


def process(on: Cluster, *, once: bool = False) -> subprocess.Popen[bytes]:
    topics = on.route[:5]
    words = [on.kafka, on.installation, "once" if once else "on", *topics]
    return subprocess.Popen([sys.executable, "-c", PROCESS, *words])


async def appeared(on: Cluster, topic: str, at_least: int) -> None:
    """Wait until so many offsets of a topic are taken."""
    consumer = AIOKafkaConsumer(bootstrap_servers=on.kafka)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in await on._partitions(consumer, topic)]
        async with asyncio.timeout(60):
            while sum((await consumer.end_offsets(places)).values()) < at_least:
                await asyncio.sleep(0.02)
    finally:
        await consumer.stop()


async def each_once(on: Cluster, streams: Sequence[bytes], count: int) -> None:
    """Every event of every stream is there once, in its stream's order."""
    found = await on.texts()
    for stream in streams:
        assert [text for text in found if text.startswith(stream.hex())] == numbered(stream, range(count))
    assert len(found) == len(streams) * count


def test_a_processor_that_is_killed_at_any_moment_costs_and_doubles_nothing(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka, partitions=3) as on:
            streams = [secrets.token_bytes(16) for _ in range(3)]
            for place, stream in enumerate(streams):
                await on.send(events(stream, 0, 30_000), partition=place)
            for share in (0, 40_000):
                running = process(on)
                await appeared(on, on.route.processing, share + 1)
                await asyncio.sleep(random.uniform(0, 0.3))
                running.kill()
                running.wait()
            assert await asyncio.to_thread(process(on, once=True).wait) == 0
            await each_once(on, streams, 30_000)

    asyncio.run(scenario())


def test_a_processor_that_is_stopped_in_the_middle_and_wakes_adds_nothing(kafka: str) -> None:
    """SIGSTOP: the group gives its partitions to another one; then it goes on where it was."""

    async def scenario() -> None:
        async with cluster(kafka, partitions=2) as on:
            streams = [secrets.token_bytes(16) for _ in range(2)]
            for place, stream in enumerate(streams):
                await on.send(events(stream, 0, 30_000), partition=place)
            sleeper = process(on)
            await appeared(on, on.route.processing, 1)
            sleeper.send_signal(signal.SIGSTOP)
            heir = process(on)
            try:
                await appeared(on, on.route.processing, 60_000)
                sleeper.send_signal(signal.SIGCONT)
                for place, stream in enumerate(streams):
                    await on.send(events(stream, 29_000, 2000), partition=place)
                assert await asyncio.to_thread(process(on, once=True).wait) == 0
            finally:
                for running in (sleeper, heir):
                    running.kill()
                    running.wait()
            await each_once(on, streams, 31_000)

    asyncio.run(scenario())


def test_a_record_that_is_refused_is_found_and_put_aside_alone(kafka: str) -> None:
    async def scenario() -> None:
        async with cluster(kafka, max_message=50_000) as on:
            stream = secrets.token_bytes(16)
            await on.send(events(stream, 0, 100))
            await on.send(events(stream, 100, 1, fill=secrets.token_hex(60_000)))
            await on.send(events(stream, 101, 50))
            config = CollectorConfig.model_validate({"installation": on.installation, "bus": {"kafka": on.config}})
            role = ProcessorRole(config, processor(), on.route)
            await run_roles([role], asyncio.Event(), once=True)
            assert role.dead_letters == 1
            assert await on.texts() == numbered(stream, range(100)) + numbered(stream, range(101, 151))

    asyncio.run(scenario())


class _Failing(Enricher):
    type = "failing"

    def enrich(self, events: Sequence[Enriched]) -> None:
        for event in events:
            if str(event["raw_log"]).endswith("bad"):
                raise RuntimeError


def test_events_are_enriched_alike_however_they_are_batched(kafka: str) -> None:
    """What an enricher fails on is counted and goes on; a replay in other transactions says the same."""
    texts = ["good"] * 7 + ["bad"] + ["good"] * 4

    def sent(stream: bytes) -> list[Record]:
        spans = [(n, n + 1) for n in range(len(texts))]
        return [
            Record(
                ENCODER.encode(Event(raw=text, metadata={"client_ip": "10.0.0.7"}), STAMP, "record", log_id),
                stream,
                seq,
            )
            for text, log_id, seq in zip(texts, *identify(stream, spans), strict=True)
        ]

    async def run() -> None:
        enrichers = [enricher("geoip"), _Failing(EnricherConfig(type="failing"), EnricherContext())]
        worker = Processor(lambda: NOW, enrichment=Enrichment(enrichers))
        async with cluster(kafka, partitions=2) as topics:
            unenriched = []
            for partition, size in ((0, len(texts)), (1, 5)):
                read = await topics.send(sent(bytes([partition]) * 16), partition)
                lane = await topics.lane(partition)
                parts = [read[first : first + size] for first in range(0, len(read), size)]
                unenriched.append(sum([(await lane.take(worker, part)).unenriched for part in parts]))
                await lane.close()
            documents = [orjson.loads(record.value) for record in await topics.read(topics.route.processing)]
        assert unenriched == [1, 1]
        assert len(documents) == 2 * len(texts)
        said = [(found["raw_log"], found["metadata"], found["tags"]) for found in documents]
        assert said[: len(texts)] == said[len(texts) :]
        assert all(metadata["geo"] == {"network": "private"} for _, metadata, _ in said)
        assert [tags for _, _, tags in said].count(["_unenriched"]) == 2

    asyncio.run(run())
