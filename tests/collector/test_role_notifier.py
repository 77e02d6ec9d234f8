"""The notifier role on real servers: everybody is told of every alert, whoever fails or is killed in between."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from logintel.bus import kafka_lz4
from logintel.bus.topics import ALERTS
from logintel.identity import named_id
from logintel_collector.alert import Alert, Changes, Notification
from logintel_collector.config import CollectorConfig
from logintel_collector.notifier.outbox import Attempt
from logintel_collector.roles.notifier_role import NotifierRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.rules.episode import notification
from logintel_collector.rules.group import micros_since_1970
from logintel_collector.stores import elasticsearch_indices, postgres, postgres_alerts, postgres_lease
from logintel_collector.stores.elasticsearch import connected as connected_to_elasticsearch
from logintel_collector.stores.postgres_lease import Lease
from logintel_collector.stores.postgres_outbox import PostgresOutbox

STAMP = "2026-03-05T00:00:00.000000Z"
LATER = "2100-01-01T00:00:00.000000Z"
#: The seed's message schema of topic alerts.
SEED = {
    "alert_id", "title", "description", "severity", "status", "source_id", "log_entry_id", "rule_id", "triggered_at",
    "metadata",
}  # fmt: skip
PROCESS = """
import asyncio, json, sys
from logintel import logs
from logintel.bus.topics import Topic
from logintel_collector.config import CollectorConfig
from logintel_collector.notifier import relay
from logintel_collector.roles.notifier_role import NotifierRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores import postgres_lease

topic, config = sys.argv[1:]
postgres_lease.LENGTH, relay.BASE = 1.5, 0.1
logs.set_up("info", sys.stderr)
role = NotifierRole(CollectorConfig.model_validate(json.loads(config)), Topic(topic, 1, 1))
asyncio.run(run_roles([role], asyncio.Event()))
"""


class Hook(ThreadingHTTPServer):
    """Counts what it is told, by Idempotency-Key. Where `fails` says so it answers 503, after it has counted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.told: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.fails = 0.0
        self.patience = "20s"  # a busy machine is not silent
        self.silent = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        key = self.headers["Idempotency-Key"]
        assert json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"] == key
        if self.server.silent.is_set():
            threading.Event().wait(60)
        failing = random.random() < self.server.fails
        (self.server.refused if failing else self.server.told)[key] += 1
        self.send_response(503 if failing else 204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing: tests read `told`."""


@contextmanager
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def made(count: int, age: timedelta = timedelta(0)) -> tuple[list[Alert], list[Notification]]:
    """Alerts, each opened and made more severe in the same moment, so long ago."""
    alerts, told = [], []
    at = micros_since_1970(datetime.now(UTC) - age)
    for number in range(count):
        rule = named_id("rule", "test")
        alert = Alert(
            id=named_id("alert", str(number)), title=f"orders fail: shop {number}", description="3 events in 10s",
            severity="HIGH", status="OPEN", source_id=None, log_entry_id=named_id("entry", str(number)), rule_id=rule,
            triggered_at=STAMP, metadata={"reason": "3 events in 10s", "count": 3},
        )  # fmt: skip
        worse = replace(alert, severity="CRITICAL", metadata={"reason": "9 events in 10s", "count": 9})
        told += [
            notification(alert, "opened", 1, at),
            notification(worse, "escalated", 2, at),
        ]
        alerts.append(worse)
    return alerts, told


@dataclass(frozen=True)
class Scene:
    """A topic, a database and index names of one test."""

    kafka: str
    dsn: str
    topic: str
    written: dict[str, Any]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def config(self) -> CollectorConfig:
        return CollectorConfig.model_validate(self.written)

    @property
    def role(self) -> NotifierRole:
        return NotifierRole(self.config, ALERTS._replace(name=self.topic))

    def process(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", PROCESS, self.topic, json.dumps(self.written)]
        self.processes.append(subprocess.Popen(words, stderr=subprocess.DEVNULL))
        return self.processes[-1]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def fill(self, alerts: list[Alert], told: list[Notification]) -> None:
        async with self.connected() as connection, connection.transaction():
            await postgres_alerts.save_changes(connection, Changes(alerts=alerts, notifications=told))

    async def until(self, count: int, channels: str) -> None:
        """Wait until the channels whose names are like `channels` have told so many."""
        sql = "SELECT count(*) FROM outbox_deliveries WHERE channel LIKE $1 AND retry_at IS NULL AND error IS NULL"
        async with asyncio.timeout(60), self.connected() as connection:
            while await connection.fetchval(sql, channels) < count:
                await asyncio.sleep(0.05)

    async def sent(self) -> list[Any]:
        """Every record of the topic."""
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        found: list[Any] = []
        try:
            place = TopicPartition(self.topic, 0)
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            async with asyncio.timeout(30):
                while await consumer.position(place) < end:
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        found += records
        finally:
            await consumer.stop()
        return found


@asynccontextmanager
async def scene(kafka: str, database: str, *hooks: Hook, search: str | None = None) -> AsyncIterator[Scene]:
    name = f"test-{secrets.token_hex(6)}"
    stores: dict[str, Any] = {"postgres": {"dsn": database}}
    if search:
        stores["elasticsearch"] = {"hosts": [search], "prefix": f"{name}-"}
    notify = [{"type": "webhook", "url": each.url, "timeout": each.patience} for each in hooks]
    bus = {"kafka": {"bootstrap_servers": [kafka]}}
    on = Scene(kafka, database, name, {"installation": name, "bus": bus, "stores": stores, "notify": notify})
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
        async with on.connected() as connection:
            await postgres.migrate(connection)
        yield on
        await admin.delete_topics([name])
    finally:
        await admin.close()
        for process in on.processes:
            process.kill()
            process.wait(timeout=30)


def without_repeats(records: Sequence[Any]) -> dict[str, Any]:
    """The records' values by notification id."""
    return {dict(record.headers)["notification_id"].decode(): orjson.loads(record.value) for record in records}


def test_everybody_is_told_though_the_webhook_fails_and_the_notifier_is_killed(kafka: str, database: str) -> None:
    async def scenario() -> None:
        with hook() as people:
            async with scene(kafka, database, people) as on:
                alerts, told = made(20)
                people.fails = 0.7
                await on.fill(alerts, told)
                for count in (4, 15):
                    process = on.process()
                    await on.until(count, "webhook-%")
                    process.send_signal(signal.SIGKILL)
                    process.wait(timeout=30)
                assert sum(people.told.values()) < len(told), "it was killed too late for this test to say anything"
                people.fails = 0
                last = on.process()
                await on.until(3 * len(told), "%")
                last.send_signal(signal.SIGTERM)
                await asyncio.to_thread(last.wait, timeout=30)
                ids = {each.id for each in told}
                assert people.refused
                assert people.told.keys() == ids
                assert sum(people.told.values()) - len(ids) <= 2 * 8, "a kill repeats no more than was on its way"
                records = await on.sent()
                assert {record.key.decode() for record in records} == {alert.id for alert in alerts}
                values = without_repeats(records)
                assert values.keys() == ids
                for each in told:
                    value = values[each.id]
                    assert value.keys() >= SEED
                    assert value["severity"] == each.body["alert"]["severity"]  # type: ignore[index,call-overload]
                    assert value["notification"] == {key: each.body[key] for key in each.body if key != "alert"}

    asyncio.run(scenario())


def test_a_channel_that_answers_nobody_keeps_no_other_from_telling(
    kafka: str, database: str, elasticsearch: str
) -> None:
    async def scenario() -> None:
        with hook() as people, hook() as silent:
            silent.silent.set()
            silent.patience = "1s"
            async with scene(kafka, database, people, silent, search=elasticsearch) as on:
                assert on.config.stores.elasticsearch is not None
                async with connected_to_elasticsearch(on.config.stores.elasticsearch) as client:
                    await elasticsearch_indices.set_up(client, on.config.stores.elasticsearch)
                alerts, told = made(8)
                await on.fill(alerts, told)
                role, stop = on.role, asyncio.Event()
                running = asyncio.create_task(run_roles([role], stop))
                for channel in ("topic-alerts", "index-alerts", "log"):
                    await on.until(len(told), channel)
                async with asyncio.timeout(30):
                    while people.told.total() < len(told):
                        await asyncio.sleep(0.05)
                assert silent.told.total() == 0
                stop.set()
                await running
                assert role.summary()["told"] == 4 * len(told)
                assert role.summary()["failures"] > 0
                async with httpx.AsyncClient(base_url=f"{elasticsearch}/{on.topic}-engineering_alerts-*/") as asking:
                    (await asking.post("_refresh")).raise_for_status()
                    found = (await asking.get("_search?size=100")).json()["hits"]["hits"]
                    (kinds,) = (await asking.get("_mapping")).json().values()
                hits = {hit["_id"]: hit["_source"] for hit in found}
                assert hits == {
                    alert.id: {"alert_id": alert.id, **{k: v for k, v in asdict(alert).items() if k != "id"}}
                    for alert in alerts
                }
                assert {hit["severity"] for hit in hits.values()} == {"CRITICAL"}, "the later of two states is kept"
                assert kinds["mappings"]["properties"]["alert_id"] == {"type": "keyword"}

    asyncio.run(scenario())


def test_a_notifier_that_slept_past_its_lease_is_given_nothing_to_tell(
    kafka: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_lease, "LENGTH", 1.5)

    async def scenario() -> None:
        async with scene(kafka, database) as on, on.connected() as zombie, on.connected() as heir:
            _, told = made(3)
            await on.fill([], told)
            asleep = PostgresOutbox(zombie, await Lease.take(zombie, "notifier"))
            assert len(await asleep.pending("log", LATER, 10)) == 6
            await asyncio.sleep(1.6)
            awake = PostgresOutbox(heir, await Lease.take(heir, "notifier"))
            assert await asleep.pending("log", LATER, 10) == []
            with pytest.raises(postgres_lease.LeaseLost):
                await asleep.report("log", [Attempt(told[0].id, "no answer", LATER)])
            pending = await awake.pending("log", LATER, 10)
            assert sorted(each.notification.id for each in pending) == sorted(each.id for each in told)
            assert {each.attempts for each in pending} == {0}

    asyncio.run(scenario())


def test_what_everybody_was_told_of_is_forgotten_an_hour_later(kafka: str, database: str) -> None:
    async def scenario() -> None:
        async with scene(kafka, database) as on, on.connected() as connection:
            _, told = made(3, timedelta(hours=2))
            await on.fill([], told)
            outbox = PostgresOutbox(connection, await Lease.take(connection, "notifier"))
            await outbox.report("log", [Attempt(each.id) for each in told[:4]])
            failed = [Attempt(each.id, "HTTP 500", None if each is told[1] else STAMP) for each in told[1:]]
            await outbox.report("webhook", failed)
            await outbox.expire(["log", "webhook"])
            left = {str(row["id"]) for row in await connection.fetch("SELECT id FROM outbox")}
            assert left == {each.id for each in told} - {told[1].id}
            assert await outbox.due(["log", "webhook"]) == 3

    asyncio.run(scenario())


def test_once_ends_when_every_channel_has_tried(kafka: str, database: str) -> None:
    async def scenario() -> None:
        with hook() as people:
            people.fails = 1
            async with scene(kafka, database, people) as on:
                _, told = made(5)
                await on.fill([], told)
                role = on.role
                await run_roles([role], asyncio.Event(), once=True)
                assert role.summary()["told"] == 2 * len(told)
                assert people.refused.keys() == {each.id for each in told}

    asyncio.run(scenario())
