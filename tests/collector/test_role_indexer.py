"""The indexer on a real broker and a real Elasticsearch: what is on log-processing is in the index, each once."""

from __future__ import annotations

import asyncio
import base64
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from logintel.bus import kafka_lz4
from logintel.bus.kafka_groups import commit_start
from logintel.config.version import config_version
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.roles import runner
from logintel_collector.roles.indexer_role import IndexerRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError
from logintel_collector.stores.elasticsearch_indices import set_up
from logintel_devstack.stack import Stack

PARTITIONS = 3
Message = tuple[bytes | None, list[tuple[str, bytes]]]


def document(log_id: str, day: str = "2026.03.04", **fields: Any) -> Message:
    """A message as the processor writes it."""
    body = {"log_id": log_id, "message": f"request {log_id}", "metadata": {"source": "shop"}, **fields}
    return orjson.dumps(body), [
        ("log_id", log_id.encode()),
        ("day", day.encode()),
        ("seq", b"0" * 12),
        ("schema", b"1"),
    ]


def documents(tag: str, numbers: Iterable[int]) -> list[Message]:
    return [document(f"{tag}-{n:06}", f"2026.03.{4 + n % 2:02}") for n in numbers]


@dataclass(frozen=True)
class Place:
    """Topics and indices of one test."""

    config: CollectorConfig
    topic: str
    dead: str
    ledger: str
    client: ElasticsearchClient

    @property
    def kafka(self) -> str:
        assert self.config.bus.kafka
        return self.config.bus.kafka.bootstrap_servers[0]

    def role(self) -> IndexerRole:
        return IndexerRole(self.config, self.topic, self.dead, self.ledger)

    async def caught_up(self) -> IndexerRole:
        """An indexer of the group that has read all there is."""
        role = self.role()
        async with asyncio.timeout(120):
            await run_roles([role], asyncio.Event(), once=True)
        return role

    def process(self) -> subprocess.Popen[bytes]:
        words = [self.config.model_dump_json(), self.topic, self.dead, self.ledger]
        return subprocess.Popen([sys.executable, "-c", PROCESS, *words])

    async def send(self, messages: Sequence[Message], partition: int | None = None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, linger_ms=5)
        await producer.start()
        try:
            answers = [
                await producer.send(
                    self.topic, value, b"s", n % PARTITIONS if partition is None else partition, headers=headers
                )
                for n, (value, headers) in enumerate(messages)
            ]
            await asyncio.gather(*answers)
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[Any]:
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        found: list[Any] = []
        try:
            places = [TopicPartition(topic, 0)]
            consumer.assign(places)
            end = (await consumer.end_offsets(places))[places[0]]
            async with asyncio.timeout(30):
                while len(found) < end:
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        found += records
        finally:
            await consumer.stop()
        return found

    async def committed(self) -> int:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=f"{self.config.installation}-indexer")
        await consumer.start()
        try:
            places = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
            return sum([await consumer.committed(place) or 0 for place in places])
        finally:
            await consumer.stop()

    async def count(self, index: str = "engineering_logs-*") -> int:
        path = f"/{self.client.prefix}{index}"
        await self.client.ask("POST", f"{path}/_refresh")
        return int((await self.client.ask("GET", f"{path}/_count"))["count"])

    async def is_begun(self) -> bool:
        """Whether an index has a document, also while the next one is being made."""
        await self.client.ask("POST", f"/{self.client.prefix}*/_refresh")
        found = await self.client.ask("GET", f"/{self.client.prefix}*/_stats/docs")
        return bool(found["_all"]["primaries"].get("docs", {}).get("count"))

    async def stored(self, index: str = "engineering_logs-*") -> dict[str, dict[str, Any]]:
        """_id → document, page by page; fails when an id is in two indices."""
        found: dict[str, dict[str, Any]] = {}
        path = f"/{self.client.prefix}{index}"
        await self.client.ask("POST", f"{path}/_refresh")
        after: dict[str, Any] = {}
        while True:
            body = {"size": 5000, "sort": [{"log_id": "asc"}], **after}
            hits = (await self.client.ask("POST", f"{path}/_search", body))["hits"]["hits"]
            if not hits:
                return found
            for hit in hits:
                assert hit["_id"] not in found
                found[hit["_id"]] = hit["_source"]
            after = {"search_after": hits[-1]["sort"]}


#: An indexer as a process of its own.
PROCESS = """
import asyncio, sys
from logintel_collector.config import CollectorConfig
from logintel_collector.roles.indexer_role import IndexerRole
from logintel_collector.roles.runner import run_roles

config, *topics = sys.argv[1:]
asyncio.run(run_roles([IndexerRole(CollectorConfig.model_validate_json(config), *topics)], asyncio.Event()))
"""


@asynccontextmanager
async def place(kafka: str, elasticsearch: str, *, templates: bool = True) -> AsyncIterator[Place]:
    name = f"t{secrets.token_hex(6)}"
    config = CollectorConfig.model_validate(
        {
            "installation": name,
            "bus": {"kafka": {"bootstrap_servers": [kafka]}},
            "stores": {"elasticsearch": {"hosts": [elasticsearch], "prefix": f"{name}-"}},
            "roles": ["indexer"],
        }
    )
    assert config.stores.elasticsearch
    admin, client = AIOKafkaAdminClient(bootstrap_servers=kafka), ElasticsearchClient(config.stores.elasticsearch)
    await admin.start()
    made = Place(config, f"{name}-processing", f"{name}-dead", f"{name}-ledger", client)
    try:
        await admin.create_topics(
            [NewTopic(made.topic, PARTITIONS, 1), NewTopic(made.dead, 1, 1), NewTopic(made.ledger, 1, 1)]
        )
        assert config.bus.kafka
        assert await commit_start(config.bus.kafka, f"{name}-indexer", made.topic) == PARTITIONS
        if templates:
            await set_up(client, config.stores.elasticsearch)
        yield made
        await admin.delete_topics([made.topic, made.dead, made.ledger])
        indices = ",".join(await client.ask("GET", f"/{client.prefix}*/_alias"))
        if indices:
            await client.ask("DELETE", f"/{indices}")
        if templates:
            await client.ask("DELETE", f"/_index_template/{client.prefix}*")
    finally:
        await client.close()
        await admin.close()


def test_documents_are_in_the_index_of_their_day(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            sent = [*documents("a", range(500)), document("old", ""), document("odd", "../../x")]
            await at.send(sent)
            role = await at.caught_up()
            assert role.summary() == {
                "done": 502,
                "stored": 502,
                "repeats": 0,
                "mended": 0,
                "overflowed": 0,
                "dead_letters": 0,
            }
            assert await at.committed() == 502
            assert await at.stored() == {orjson.loads(v or b"")["log_id"]: orjson.loads(v or b"") for v, _ in sent}
            assert await at.count("engineering_logs-2026.03.04") == 250
            assert await at.count("engineering_logs-2026.03.05") == 250
            assert (await at.stored("engineering_logs-outliers")).keys() == {"old", "odd"}

    asyncio.run(scenario())


def test_a_repeat_adds_nothing_and_changes_nothing(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            await at.send([document("one"), document("two")])
            await at.caught_up()
            await at.send([document("one", message="another"), document("three")])
            again = await at.caught_up()
            assert (again.stored, again.repeats) == (1, 1)
            found = await at.stored()
            assert found.keys() == {"one", "two", "three"}
            assert found["one"]["message"] == "request one"

    asyncio.run(scenario())


def test_what_cannot_be_indexed_becomes_a_dead_letter_and_stops_nothing(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            good = documents("g", range(20))
            day = ("day", b"2026.03.04")
            injected = b'{"log_id":"x"}\n{"delete":{"_index":"g","_id":"g-000001"}}'
            bad: list[Message] = [
                (b'{"log_id":"no-id"}', [day]),
                (b'{"log_id":"quoted"}', [("log_id", b'a"b'), day]),
                (injected, [("log_id", b"injected"), day]),
                (b"{oops", [("log_id", b"oops"), day]),
                document("undated", timestamp="yesterday"),
                (None, [("log_id", b"nothing"), day]),
            ]
            several_lines = (b'{\n "log_id": "lines"\n}', [("log_id", b"lines"), day])
            await at.send([*good[:10], *bad, several_lines, *good[10:]], partition=1)
            role = await at.caught_up()
            assert (role.stored, role.dead_letters) == (21, 6)
            assert (await at.stored()).keys() == {f"g-{n:06}" for n in range(20)} | {"lines"}
            read = [orjson.loads(record.value) for record in await at.read(at.dead)]
            letters = {base64.b64decode(letter["original"]): letter for letter in read}
            reasons = ("unidentified", "unidentified", "undecodable", "refused", "refused", "unidentified")
            assert {value: letter["reason"] for value, letter in letters.items()} == {
                value or b"": reason for (value, _), reason in zip(bad, reasons, strict=True)
            }
            assert {letter["stage"] for letter in letters.values()} == {"indexer"}
            assert {letter["config_version"] for letter in letters.values()} == {config_version(at.config)}
            undated = letters[bad[4][0] or b""]
            assert undated["log_id"] == "undated"
            assert "[timestamp]" in undated["error"]
            assert "yesterday" not in undated["error"]
            assert await at.committed() == 27

    asyncio.run(scenario())


def test_an_indexer_that_is_killed_at_any_moment_costs_and_doubles_nothing(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            await at.send(documents("k", range(20_000)))
            running = at.process()
            try:
                async with asyncio.timeout(60):
                    while not await at.is_begun():
                        await asyncio.sleep(0.05)
                await asyncio.sleep(random.uniform(0, 0.5))
            finally:
                running.send_signal(signal.SIGKILL)
                running.wait()
            assert await at.committed() < 20_000
            await at.caught_up()
            found = await at.stored()
            assert found.keys() == {f"k-{n:06}" for n in range(20_000)}
            assert all(one["message"] == f"request {log_id}" for log_id, one in found.items())

    asyncio.run(scenario())


def test_a_server_that_is_killed_and_comes_back_has_all(
    devstack: Stack, kafka: str, elasticsearch: str, elasticsearch_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PAUSE", (0.1, 1.0))

    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            await at.send(documents("a", range(8000)))
            stop, role = asyncio.Event(), at.role()
            running = asyncio.create_task(run_roles([role], stop))
            try:
                async with asyncio.timeout(60):
                    while not role.stored:
                        await asyncio.sleep(0.01)
                await asyncio.to_thread(devstack.kill, elasticsearch_name)
                await at.send(documents("b", range(2000)))
                async with asyncio.timeout(30):
                    while not role.progress.trouble:
                        await asyncio.sleep(0.05)
                assert "is it running and reachable" in role.progress.trouble
            finally:
                assert await asyncio.to_thread(devstack.up, [elasticsearch_name]) == {elasticsearch_name: elasticsearch}
            async with asyncio.timeout(90):
                while role.progress.done < 10_000:
                    await asyncio.sleep(0.05)
            stop.set()
            await running
            found = await at.stored()
            assert found.keys() == {f"a-{n:06}" for n in range(8000)} | {f"b-{n:06}" for n in range(2000)}
            assert role.dead_letters == 0

    asyncio.run(scenario())


def test_a_nearly_full_disk_is_said_and_waited_out(kafka: str, elasticsearch: str) -> None:
    """Users' complaint of peers: events of a batch that a store refuses in part are dropped, or all are sent again."""

    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            index = f"/{at.client.prefix}engineering_logs-2026.03.04"
            await at.client.ask("PUT", index)
            await at.client.ask("PUT", f"{index}/_settings", {"index.blocks.read_only_allow_delete": True})
            await at.send(documents("d", range(1000)))
            stop, role = asyncio.Event(), at.role()
            running = asyncio.create_task(run_roles([role], stop))
            async with asyncio.timeout(60):
                while not role.trouble or await at.count("engineering_logs-2026.03.05") < 500:
                    await asyncio.sleep(0.1)
            assert "a disk is nearly full: make room" in role.trouble
            assert await at.count("engineering_logs-2026.03.04") == 0
            assert await at.committed() == 0
            await at.client.ask("PUT", f"{index}/_settings", {"index.blocks.read_only_allow_delete": None})
            async with asyncio.timeout(60):
                while role.progress.done < 1000:
                    await asyncio.sleep(0.1)
            stop.set()
            await running
            assert role.trouble is None
            assert (await at.stored()).keys() == {f"d-{n:06}" for n in range(1000)}
            assert (role.stored, role.repeats, role.dead_letters) == (1000, 0, 0)

    asyncio.run(scenario())


def test_fields_that_do_not_fit_are_counted(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch) as at:
            await at.send([document("first", metadata={"code": 5})], partition=0)
            await at.caught_up()
            many = {f"k{n}": n for n in range(1500)}
            await at.send([document("text", metadata={"code": "x"}), document("many", metadata=many)], partition=0)
            role = await at.caught_up()
            assert (role.stored, role.mended, role.overflowed, role.dead_letters) == (2, 2, 1, 0)
            found = await at.stored()
            assert found["text"]["overflow"] == {"metadata": {"code": "x"}}
            assert found["many"]["overflow"] == {"metadata": many}

    asyncio.run(scenario())


def test_without_templates_nothing_is_indexed(kafka: str, elasticsearch: str) -> None:
    async def scenario() -> None:
        async with place(kafka, elasticsearch, templates=False) as at:
            await at.send([document("one")])
            with pytest.raises(ExceptionGroup) as caught:
                await run_roles([at.role()], asyncio.Event(), once=True)
            refusal = caught.value.exceptions[0]
            assert isinstance(refusal, Refused)
            assert "run `logintel collector setup`" in str(refusal)
            with pytest.raises(ElasticsearchError, match="404"):
                await at.client.ask("GET", f"/{at.client.prefix}engineering_logs-2026.03.04")

    asyncio.run(scenario())


def test_the_role_needs_an_elasticsearch() -> None:
    config = CollectorConfig.model_validate({"bus": {"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}}})
    with pytest.raises(Refused, match=r"role indexer needs stores\.elasticsearch"):
        IndexerRole(config)
