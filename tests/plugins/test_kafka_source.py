"""The Kafka source on a real cluster: killed, shared and read again, each record is one event under one id."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from logintel.bus import kafka_lz4
from logintel.bus.topics import INGESTION, set_up
from logintel.config.shared import KafkaBusConfig
from logintel.hooks import load_plugins
from logintel.source import SourceContext

PARTITIONS = 3


@dataclass
class Upstream:
    """A topic of somebody else's, and agents that read it into an installation of this test's own."""

    directory: Path
    kafka: str
    name: str = field(default_factory=lambda: f"orders-{secrets.token_hex(5)}")
    start: dict[int, int] = field(default_factory=dict)
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def admin(self, work: Callable[[AIOKafkaAdminClient], Any]) -> Any:
        async def done() -> Any:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
            await admin.start()
            try:
                return await work(admin)
            finally:
                await admin.close()

        return asyncio.run(done())

    def make(self) -> None:
        self.admin(lambda admin: admin.create_topics([NewTopic(self.name, PARTITIONS, 1)]))

    def produce(self, numbers: range) -> None:
        async def send() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
            await producer.start()
            try:
                for number in numbers:
                    value = json.dumps({"level": "warn", "msg": f"order {number}", "n": number}).encode()
                    headers = [("trace", b"t%d" % number)]
                    await producer.send(
                        self.name, value, b"k%d" % number, partition=number % PARTITIONS, headers=headers
                    )
            finally:
                await producer.stop()

        asyncio.run(send())

    def commit(self, place: TopicPartition, offset: int) -> None:
        """As if the group came from another cluster."""

        async def done() -> None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.kafka, group_id=f"logintel-{self.name}", enable_auto_commit=False
            )
            await consumer.start()
            try:
                consumer.assign([place])
                await consumer.commit({place: offset})
            finally:
                await consumer.stop()

        asyncio.run(done())

    def words(self, agent: str) -> list[str]:
        cluster = {"bootstrap_servers": [self.kafka]}
        source = {"name": self.name, "type": "kafka", "cluster": cluster, "topics": [self.name], "format": "json"}
        config = self.directory / "agent.yaml"
        config.write_text(yaml.safe_dump({"bus": {"kafka": cluster}, "sources": [source]}))
        return [
            sys.executable,
            "-m",
            "logintel",
            "agent",
            "run",
            "--config",
            str(config),
            "--data",
            str(self.directory / agent),
        ]

    def run_once(self, agent: str) -> str:
        done = subprocess.run([*self.words(agent), "--once"], check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def begin(self, agent: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{agent}.log").open("ab") as log:
            self.agents.append(subprocess.Popen(self.words(agent), stdout=log, stderr=log))
        return self.agents[-1]

    def events(self) -> list[dict[str, Any]]:
        """What is on log-ingestion of this source, in the order of its partitions."""
        return asyncio.run(self._events())

    async def _events(self) -> list[dict[str, Any]]:
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        found = []
        try:
            places = [TopicPartition(INGESTION.name, number) for number in range(INGESTION.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, self.start.get(place.partition, 0))
            async with asyncio.timeout(60):
                while any([await consumer.position(place) < ends[place] for place in places]):
                    for records in (await consumer.getmany(timeout_ms=300)).values():
                        found += [json.loads(record.value) for record in records if self.name.encode() in record.value]
        finally:
            await consumer.stop()
        return found

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 90
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture
def upstream(tmp_path: Path, kafka: str) -> Any:
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    made = Upstream(tmp_path, kafka)
    made.make()
    yield made
    for agent in made.agents:
        agent.kill()
        agent.wait()


def ids(events: list[dict[str, Any]]) -> dict[str, int]:
    """log_id → number of the record."""
    return {event["log_id"]: event["metadata"]["n"] for event in events}


def test_each_record_is_one_event_and_the_group_knows_how_far_it_is(upstream: Upstream) -> None:
    upstream.produce(range(300))
    upstream.run_once("one")
    events = upstream.events()
    assert Counter(event["metadata"]["n"] for event in events) == Counter(range(300))
    event = next(event for event in events if event["metadata"]["n"] == 7)
    assert (event["message"], event["level"]) == ("order 7", "WARN")
    assert event["metadata"]["kafka_topic"] == upstream.name
    assert (event["metadata"]["kafka_partition"], event["metadata"]["kafka_offset"]) == (1, 2)
    assert (event["metadata"]["kafka_key"], event["metadata"]["kafka_headers"]) == ("k7", {"trace": "t7"})
    offsets = upstream.admin(lambda admin: admin.list_consumer_group_offsets(f"logintel-{upstream.name}"))
    assert {place.partition: said.offset for place, said in offsets.items()} == dict.fromkeys(range(PARTITIONS), 100)

    upstream.produce(range(300, 330))
    upstream.run_once("another host")
    assert Counter(event["metadata"]["n"] for event in upstream.events()) == Counter(range(330))


def test_agents_that_share_a_group_and_die_lose_nothing(upstream: Upstream) -> None:
    """What a killed one had sent and not committed is sent again by another, under the same ids."""
    upstream.produce(range(20_000))
    victim = upstream.begin("one")
    upstream.begin("two")
    upstream.until(lambda: len(upstream.events()) > 500)
    victim.send_signal(signal.SIGKILL)
    upstream.produce(range(20_000, 21_000))
    upstream.until(lambda: set(ids(upstream.events()).values()) == set(range(21_000)))
    events = upstream.events()
    assert Counter(ids(events).values()) == Counter(range(21_000)), "a record came under two ids"


def test_a_topic_that_was_made_anew_and_one_that_lost_records_are_told(upstream: Upstream) -> None:
    upstream.produce(range(30))
    upstream.run_once("one")
    upstream.produce(range(30, 60))
    place = TopicPartition(upstream.name, 0)
    upstream.admin(lambda admin: admin.delete_records({place: RecordsToDelete(15)}))
    said = upstream.run_once("one")
    assert '"event": "topic_gap"' in said
    assert '"lost": 5' in said
    assert len(ids(upstream.events())) == 60 - 5

    upstream.admin(lambda admin: admin.delete_topics([upstream.name]))
    upstream.until(lambda: upstream.name not in upstream.admin(lambda admin: admin.list_topics()))
    upstream.make()
    upstream.produce(range(3))
    upstream.run_once("one")
    assert Counter(ids(upstream.events()).values())[0] == 2, "the new topic's record is another event"

    upstream.commit(place, 1000)
    said = upstream.run_once("one")
    assert said.count('"event": "topic_made_anew"') == 1
    assert Counter(ids(upstream.events()).values())[0] == 3


def test_it_says_what_is_unread(upstream: Upstream) -> None:
    upstream.produce(range(4500))
    plugins = load_plugins()
    keys = {"name": upstream.name, "type": "kafka", "topics": [upstream.name]}
    cluster = {"bootstrap_servers": [upstream.kafka]}
    config = plugins.sources["kafka"].Config.model_validate({**keys, "cluster": cluster})

    async def scenario() -> None:
        source = plugins.sources["kafka"](config, SourceContext(formats=plugins.formats))
        assert source.standing() is None
        seen: list[Any] = []
        async with asyncio.timeout(120), aclosing(source.batches({})) as batches:
            while len(seen) < PARTITIONS or seen[-1] != {1500: 0}:
                await anext(batches)
                standing = source.standing()
                assert standing
                assert standing.unit == "records"
                assert all(place.offset + place.behind == 1500 for place in standing.streams.values())
                seen.append(dict(standing.streams.values()) if len(standing.streams) == PARTITIONS else {})
        assert len(seen) > PARTITIONS  # no partition comes at once

    asyncio.run(scenario())
