"""The analyst on a real broker and a real Elasticsearch: events to topic analytics, and to engineering_analytics."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from analytics_oracle import Found, assert_right, seconds

from logintel.bus import Record, Stored, kafka_lz4
from logintel.bus.kafka_groups import commit_start
from logintel.main import main
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.processor import Processor
from logintel_collector.roles.analyst_role import AnalystRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores.elasticsearch import ElasticsearchClient
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_indices import OUTLIERS, creating, set_up

PARTITIONS = 3
Metric = dict[str, Any]


@dataclass
class Place:
    """Topics and indices of one test, and what was put into the latter."""

    config: CollectorConfig
    client: ElasticsearchClient
    documents: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.config.installation

    @property
    def topics(self) -> list[str]:
        return [f"{self.name}-analytics", f"{self.name}-looks", f"{self.name}-dead"]

    @property
    def kafka(self) -> str:
        assert self.config.bus.kafka
        return self.config.bus.kafka.bootstrap_servers[0]

    def role(self) -> AnalystRole:
        return AnalystRole(self.config, *self.topics)

    async def caught_up(self) -> AnalystRole:
        role = self.role()
        async with asyncio.timeout(120):
            await run_roles([role], asyncio.Event(), once=True)
        return role

    def process(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", PROCESS, self.config.model_dump_json(), *self.topics])

    async def put(self, events: Iterable[dict[str, Any]]) -> None:
        stored = []
        for place, event in enumerate(events, 1):
            body = {"source_id": "s1", "log_id": secrets.token_hex(8), "raw_log": "x", "level": "INFO", **event}
            stored.append(Stored(place, Record(orjson.dumps(body), secrets.token_bytes(16), b"\0" * 12)))
        batch = Processor(lambda: datetime.now(UTC)).process(stored, {}).documents
        actions = [creating(self.client.prefix, one.day or OUTLIERS) + one.log_id.encode() + b'"}}' for one in batch]
        entries = [Entry(action, one.body) for action, one in zip(actions, batch, strict=True)]
        assert (await BulkWriter(self.client).store(entries)).stored == len(entries)
        self.documents += [one.source for one in batch]

    async def send(self, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.kafka) as producer:
            await producer.send_and_wait(self.topics[0], value, key, partition=1, headers=headers)

    async def read(self, topic: str, partitions: int) -> list[Any]:
        """What a foreign consumer reads."""
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, auto_offset_reset="earliest", isolation_level="read_committed"
        )
        await consumer.start()
        found: list[Any] = []
        try:
            places = [TopicPartition(topic, number) for number in range(partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            async with asyncio.timeout(60):
                while any([await consumer.position(place) < ends[place] for place in places]):
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        found += records
        finally:
            await consumer.stop()
        return found

    async def stored(self) -> dict[str, Metric]:
        """_id → document of engineering_analytics."""
        path = f"/{self.client.prefix}engineering_analytics-*"
        await self.client.ask("POST", f"{path}/_refresh")
        found = await self.client.ask("POST", f"{path}/_search", {"size": 10_000})
        assert found["hits"]["total"]["relation"] == "eq"
        assert found["hits"]["total"]["value"] < 10_000
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


def points(metrics: Iterable[Metric]) -> Found:
    found: Found = defaultdict(dict)
    for one in metrics:
        ((dimension, value),) = one["dimensions"].items() or [("", "")]
        key = one["aggregation_period"], int(seconds(one["timestamp"])), dimension, value
        assert one["metric_name"] not in found[key]
        found[key][one["metric_name"]] = one["value"]
    return found


#: An analyst as a process of its own.
PROCESS = """
import asyncio, sys
from logintel_collector.config import CollectorConfig
from logintel_collector.roles.analyst_role import AnalystRole
from logintel_collector.roles.runner import run_roles

config, *topics = sys.argv[1:]
asyncio.run(run_roles([AnalystRole(CollectorConfig.model_validate_json(config), *topics)], asyncio.Event()))
"""


@asynccontextmanager
async def place(kafka: str, elasticsearch: str, *, templates: bool = True) -> AsyncIterator[Place]:
    name = f"t{secrets.token_hex(6)}"
    config = CollectorConfig.model_validate(
        {
            "installation": name,
            "bus": {"kafka": {"bootstrap_servers": [kafka]}},
            "stores": {"elasticsearch": {"hosts": [elasticsearch], "prefix": f"{name}-"}},
            "roles": ["analyst"],
        }
    )
    assert config.stores.elasticsearch
    assert config.bus.kafka
    admin, client = AIOKafkaAdminClient(bootstrap_servers=kafka), ElasticsearchClient(config.stores.elasticsearch)
    await admin.start()
    made = Place(config, client)
    try:
        await admin.create_topics(
            [NewTopic(topic, PARTITIONS if n == 0 else 1, 1) for n, topic in enumerate(made.topics)]
        )
        await commit_start(config.bus.kafka, f"{name}-analyst", made.topics[0])
        if templates:
            await set_up(client, config.stores.elasticsearch)
        yield made
        await admin.delete_topics(made.topics)
        indices = ",".join(await client.ask("GET", f"/{client.prefix}*/_alias"))
        if indices:
            await client.ask("DELETE", f"/{indices}")
        if templates:
            await client.ask("DELETE", f"/_index_template/{client.prefix}*")
    finally:
        await client.close()
        await admin.close()


def events(count: int, *, hours_ago: float = 30, apart: float = 20) -> list[dict[str, Any]]:
    """From long enough ago that time, which goes on during a test, closes nothing of it."""
    first = datetime.now(UTC) - timedelta(hours=hours_ago)
    return [
        {
            "timestamp": (first + timedelta(seconds=apart * n)).isoformat(),
            "level": ("INFO", "ERROR", None)[n % 3],
            "source_id": f"s{n % 2}",
            "metadata": {"host": f"web0{n % 3}", "service": "shop"},
            "parsed_fields": {"host": "db01"} if n % 5 == 0 else {},
        }
        for n in range(count)
    ]


async def assert_all_is_right(at: Place) -> None:
    """Topic and index say the same, and what a plain loop over the documents says."""
    stored = await at.stored()
    assert_right(points(stored.values()), at.documents, datetime.now(UTC))
    messages = await at.read(at.topics[0], PARTITIONS)
    newest = {message.key.decode(): orjson.loads(message.value) for message in messages}
    assert newest == stored


def test_events_become_metrics_on_the_topic_and_in_the_index(
    kafka: str, elasticsearch: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twice over the same: nothing is computed again. Then late events: what is there under an id is replaced."""

    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            await at.put(events(300))
            first = await at.caught_up()
            await assert_all_is_right(at)
            assert first.summary()["stored"] == len(await at.stored())
            again = await at.caught_up()
            assert again.summary()["done"] == again.summary()["buckets"] == 0
            await at.put(events(5))
            late = await at.caught_up()
            assert 0 < late.summary()["stored"] < first.summary()["stored"]
            await assert_all_is_right(at)
            config = tmp_path / "collector.yaml"
            config.write_text(
                f"stores: {{elasticsearch: {{hosts: ['{elasticsearch}'], prefix: {at.client.prefix}}}}}\n"
            )
            where = ["analytics", "--config", str(config), "--last", "3d", "--period", "hour", "--by", "level"]
            assert await asyncio.to_thread(main, [*where, "--json"]) == 0
            shown = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
            expected = [
                metric
                for metric in (await at.stored()).values()
                if "level" in metric["dimensions"] and metric["aggregation_period"] == "hour"
            ]
            assert points(shown) == points(expected)
            assert len(shown) == len(expected) > 0

    asyncio.run(scenario())


@pytest.mark.long
def test_two_analysts_share_the_work_and_a_killed_one_is_followed(kafka: str, elasticsearch: str) -> None:
    """kill -9 at any moment: between results and what is remembered too. Nothing is missing and nothing counted twice."""

    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            processes = [at.process(), at.process()]
            try:
                for n in range(4):
                    await at.put(events(60, hours_ago=30 + n % 2))
                    while not await at.stored():
                        await asyncio.sleep(0.2)
                    await asyncio.sleep(0.7 * n)
                    victim = processes.pop(0)
                    victim.send_signal(signal.SIGKILL)
                    victim.wait()
                    processes.append(at.process())
            finally:
                for process in processes:
                    process.kill()
                    process.wait()
            await at.caught_up()
            await assert_all_is_right(at)

    asyncio.run(scenario())


def test_an_older_metric_never_replaces_a_newer_one(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            await at.put(events(3))
            await at.caught_up()
            before = await at.stored()
            metric_id, metric = next(iter(before.items()))
            older = orjson.dumps({**metric, "value": -1})
            await at.send(older, metric_id.encode(), [("version", b"17")])
            role = await at.caught_up()
            assert role.summary()["repeats"] == 1
            assert await at.stored() == before

    asyncio.run(scenario())


def test_what_is_no_metric_is_a_dead_letter_and_stops_nothing(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            await at.put(events(3))
            await at.send(b"\xff", b"x", [])
            await at.send(b'{"timestamp": 7}', b"y", [("version", b"1")])
            await at.send(b'{"timestamp": "2026-11-22T10:00:00Z", "value": "many"}', b"z", [("version", b"1")])
            role = await at.caught_up()
            assert role.summary()["dead_letters"] == 3
            letters = [orjson.loads(message.value) for message in await at.read(at.topics[2], 1)]
            assert {(letter["stage"], letter["reason"]) for letter in letters} == {
                ("analyst", "unidentified"),
                ("analyst", "refused"),
            }
            assert_right(points((await at.stored()).values()), at.documents, datetime.now(UTC))

    asyncio.run(scenario())


def test_without_templates_it_refuses(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch, templates=False) as at:
            with pytest.raises(ExceptionGroup) as caught:
                await at.caught_up()
            (refusal,) = caught.value.exceptions
            assert isinstance(refusal, Refused)
            assert "run `logintel collector setup`" in str(refusal)

    asyncio.run(scenario())
