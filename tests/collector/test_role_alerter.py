"""The alerter role on a real broker and a real database: each alert exactly once, whoever is killed or sleeps."""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from structlog.testing import capture_logs

from logintel.bus import Record, Stored
from logintel.encoder import Encoder
from logintel.event import Envelope, Event
from logintel.identity import identify, seq_of, source_id
from logintel_collector.alert import Notification
from logintel_collector.alerter import Alerter
from logintel_collector.config import CollectorConfig
from logintel_collector.document import Document
from logintel_collector.processor import Processed, Processor
from logintel_collector.roles import alerter_role, runner
from logintel_collector.roles.alerter_role import AlerterRole
from logintel_collector.roles.messages import document_out, replay_out
from logintel_collector.roles.runner import run_roles
from logintel_collector.rules.loading import load_rules
from logintel_collector.stores import postgres, postgres_alerts, postgres_lease
from logintel_collector.stores.postgres_lease import Lease, LeaseLost
from logintel_collector.stores.sqlite import Store

NOW = datetime(2026, 3, 5, tzinfo=UTC)
START = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULES = {
    "rules": [
        {
            "name": "orders fail",
            "query": "level:ERROR",
            "conditions": {
                "type": "threshold",
                "window": "10s",
                "count": 3,
                "group_by": "metadata.source",
                "recovery": {"after": "30s"},
            },
            "severity": "HIGH",
        },
        {
            "name": "anything fatal",
            "query": {"term": {"level": "FATAL"}},
            "conditions": {"type": "match", "group_by": "metadata.source", "recovery": {"after": "30s"}},
            "severity": "CRITICAL",
        },
    ]
}
#: An alerter in a process of its own, in small steps, so that a signal can come between any two.
PROCESS = """
import asyncio, json, sys
from datetime import UTC, datetime
from logintel import logs
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.roles import alerter_role
from logintel_collector.roles.messages import document_out, replay_out
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores import postgres_lease

topic, settle_every, config = sys.argv[1:]
alerter_role.STEP, alerter_role.SETTLE_EVERY, postgres_lease.LENGTH = 50, float(settle_every), 1.0
logs.set_up("info", sys.stderr)
role = alerter_role.AlerterRole(CollectorConfig.model_validate(json.loads(config)), topic, lambda: datetime(2026, 3, 5, tzinfo=UTC))
try:
    asyncio.run(run_roles([role], asyncio.Event()))
except* Refused as refusals:
    sys.exit(f"refused: {refusals.exceptions[0]}")
"""


def documents(source: str, count: int, first: int = 0, level: str | None = None) -> list[Document]:
    """What the processor makes of a shop's log: bursts of 20 lines, a minute between them, of every level."""
    log_ids, seqs = identify(source.encode().ljust(16), [(n, n + 1) for n in range(first, first + count)])
    envelope = Envelope(source_id("logintel", source, "web01"), {"source": source, "source_type": "application"})
    encode = Encoder(envelope).encode
    stored = []
    for number, log_id, seq in zip(range(first, first + count), log_ids, seqs, strict=True):
        stamp = (START + timedelta(seconds=3 * number + 60 * (number // 20))).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        said: Any = level or random.Random(f"{source} {number}").choice(["INFO", "WARN", "ERROR", "ERROR", "ERROR"])
        if level is None and number % 97 == 0:
            said = "FATAL"
        event = Event(raw=f"order {number}", message=f"order {number}", timestamp=stamp, level=said)
        record = Record(encode(event, stamp, "record", log_id), b"s" * 16, seq)
        stored.append(Stored(number, record))
    return Processor(lambda: NOW).process(stored, {}).documents


@dataclass(frozen=True)
class Scene:
    """A topic, a database and rules of one test."""

    kafka: str
    dsn: str
    topic: str
    config: CollectorConfig
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def reader(self) -> str:
        return f"{self.config.installation}-alerter"

    def role(self) -> AlerterRole:
        return AlerterRole(self.config, self.topic, lambda: NOW, f"{self.topic}-ledger")

    def process(self, settle_every: float = 0.3) -> subprocess.Popen[str]:
        stores = {"postgres": {"dsn": self.dsn}}
        bus = {"kafka": {"bootstrap_servers": [self.kafka]}}
        rules_dir = str(self.config.rules_dir)
        config = {"installation": self.config.installation, "bus": bus, "stores": stores, "rules_dir": rules_dir}
        words = [sys.executable, "-c", PROCESS, self.topic, str(settle_every), orjson.dumps(config).decode()]
        self.processes.append(subprocess.Popen(words, stderr=subprocess.PIPE, text=True))
        return self.processes[-1]

    async def send(self, sent: Iterable[Document | bytes], partition: int = 0) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, enable_idempotence=True)
        await producer.start()
        try:
            for document in sent:
                body = document if isinstance(document, bytes) else document.body
                await producer.send(self.topic, body, partition=partition)
            await producer.flush()
        finally:
            await producer.stop()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def contents(self) -> Any:
        """Alerts, window states, outbox and offsets."""
        async with self.connected() as connection:
            offsets = await postgres_alerts.offsets(connection, self.reader, self.topic)
            return (*await saved_in_postgres(connection), {key: value for key, value in offsets.items() if value})

    async def until_done(self, count: int) -> None:
        """Wait until so many records are done."""
        async with asyncio.timeout(60), self.connected() as connection:
            sql = "SELECT coalesce(sum(position), 0) FROM consumer_offsets WHERE reader = $1"
            while await connection.fetchval(sql, self.reader) < count:
                await asyncio.sleep(0.02)


async def saved_in_postgres(connection: asyncpg.Connection) -> tuple[Any, Any, Any]:
    alerts = {alert.id: alert for alert in await postgres_alerts.latest_alerts(connection, None, None)}
    states = {(state.rule_id, state.group): state for state in await postgres_alerts.rule_states(connection)}
    rows = await connection.fetch("SELECT id::text, alert_id::text, body, created_at FROM outbox")
    outbox = {
        row["id"]: Notification(
            row["id"], row["alert_id"], orjson.loads(row["body"]), row["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        )
        for row in rows
    }
    return alerts, states, outbox


async def saved_in_sqlite(path: Path, scene: Scene, sent: Sequence[Document]) -> tuple[Any, Any, Any]:
    """The same documents through the embedded collector's store."""
    assert scene.config.rules_dir is not None
    rules, problems = load_rules(scene.config.rules_dir, scene.config.installation, lambda: NOW)
    assert not problems
    store = await Store.open(path / "logintel.sqlite", lambda: NOW)
    try:
        changes = Alerter(rules, [], [], lambda: NOW).evaluate(sent)
        await store.apply(Processed(documents=list(sent)), changes, len(sent))
        states = {(state.rule_id, state.group): state for state in await store.rule_states()}
        open_ = {alert.id: alert for alert in await store.open_alerts()}
        pending = await store.pending("log", "9", 10**6)
        outbox = {told.notification.id: told.notification for told in pending}
        return {alert.id: alert for alert in changes.alerts} | open_, states, outbox
    finally:
        await store.close()


@asynccontextmanager
async def scene(kafka: str, database: str, rules: Path, partitions: int = 1) -> AsyncIterator[Scene]:
    name = f"test-{secrets.token_hex(6)}"
    config = CollectorConfig.model_validate(
        {
            "installation": name,
            "bus": {"kafka": {"bootstrap_servers": [kafka]}},
            "stores": {"postgres": {"dsn": database}},
            "rules_dir": str(rules),
        }
    )
    on = Scene(kafka, database, name, config)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1), NewTopic(f"{name}-ledger", 1, 1)])
        async with on.connected() as connection:
            await postgres.migrate(connection)
        yield on
        await admin.delete_topics([name, f"{name}-ledger"])
    finally:
        await admin.close()
        for process in on.processes:
            process.kill()
            process.communicate(timeout=30)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d/rules.yaml").write_text(yaml.safe_dump(RULES))
    return tmp_path / "rules.d"


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test can wait for."""
    monkeypatch.setattr(alerter_role, "SETTLE_EVERY", 0.2)
    monkeypatch.setattr(runner, "PAUSE", (0.05, 0.1))


@pytest.fixture
def _short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests where nobody else wants it: a busy machine may well stand still for so long."""
    monkeypatch.setattr(postgres_lease, "LENGTH", 1.5)


def test_the_same_documents_give_the_same_alerts_as_the_embedded_collector(
    kafka: str, database: str, rules: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with scene(kafka, database, rules) as on:
            sent = documents("shop", 1500) + documents("till", 500)
            await on.send(sent)
            role = on.role()
            await run_roles([role], asyncio.Event(), once=True)
            alerts, states, outbox, offsets = await on.contents()
            expected = await saved_in_sqlite(tmp_path, on, sent)
            assert len(expected[0]) > 100
            assert (alerts, states, outbox) == expected
            assert offsets == {0: 2000}
            assert role.summary() == {"done": 2000, "alerts": len(alerts), "skipped": 0}
            async with on.connected() as connection:
                rows = await connection.fetch("SELECT name, is_active FROM alert_rules ORDER BY name")
                assert [tuple(row) for row in rows] == [("anything fatal", True), ("orders fail", True)]
                assert await connection.fetchval("SELECT count(*) FROM log_sources") == 2

    asyncio.run(scenario())


def test_an_alerter_that_is_killed_at_any_moment_fires_exactly_when_it_should(
    kafka: str, database: str, rules: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with scene(kafka, database, rules, partitions=3) as on:
            sent = [documents(f"shop-{partition}", 700) for partition in range(3)]
            for partition, part in enumerate(sent):
                await on.send(part, partition)
            for done in (1, 900):
                process = on.process()
                await on.until_done(done)
                await asyncio.sleep(random.uniform(0, 0.1))
                process.send_signal(signal.SIGKILL)
                process.communicate(timeout=30)
            _, _, _, offsets = await on.contents()
            assert sum(offsets.values()) < 2100, "it was killed too late for this test to say anything"
            last = on.process()
            await on.until_done(2100)
            last.terminate()
            last.communicate(timeout=30)
            *saved, offsets = await on.contents()
            assert tuple(saved) == await saved_in_sqlite(tmp_path, on, [document for part in sent for document in part])
            assert offsets == dict.fromkeys(range(3), 700)

    asyncio.run(scenario())


@pytest.mark.usefixtures("_hasty")
def test_an_alerter_that_slept_past_its_lease_changes_nothing_when_it_wakes(
    kafka: str, database: str, rules: Path, tmp_path: Path
) -> None:
    """It has nothing to do but what it reads, so it learns of its successor only when it saves."""

    async def scenario() -> None:
        async with scene(kafka, database, rules) as on:
            sent = documents("shop", 1000)
            await on.send(sent[:400])
            zombie = on.process(settle_every=3600)
            await on.until_done(400)
            zombie.send_signal(signal.SIGSTOP)
            await on.send(sent[400:])
            stop = asyncio.Event()
            heir = asyncio.create_task(run_roles([on.role()], stop))
            await on.until_done(1000)
            async with on.connected() as connection:
                await connection.execute("UPDATE alerts SET description = 'the heir has it'")
            before = await on.contents()
            zombie.send_signal(signal.SIGCONT)
            _, said = await asyncio.to_thread(zombie.communicate, timeout=30)
            assert "another" in said
            assert "LeaseLost" in said
            assert said.splitlines()[-1].startswith(f"refused: another {on.reader} is at work (host ")
            assert zombie.returncode == 1
            assert await on.contents() == before
            stop.set()
            await heir
            alerts, *rest, offsets = await on.contents()
            expected, *others = await saved_in_sqlite(tmp_path, on, sent)
            assert (alerts.keys(), rest, offsets) == (expected.keys(), others, {0: 1000})

    asyncio.run(scenario())


@pytest.mark.usefixtures("_short_lease")
def test_who_sleeps_inside_a_transaction_is_thrown_out_of_it(kafka: str, database: str, rules: Path) -> None:
    async def scenario() -> None:
        async with scene(kafka, database, rules) as on, on.connected() as heir:
            zombie = await asyncpg.connect(on.dsn)
            lease = await Lease.take(zombie, on.reader)
            transaction = zombie.transaction()
            await transaction.start()
            await lease.renew(zombie)
            await postgres_alerts.save_offsets(zombie, on.reader, on.topic, {0: 77}, lease.epoch)
            async with asyncio.timeout(15):
                taken = await Lease.take(heir, on.reader)
            assert taken.epoch == lease.epoch + 1
            with pytest.raises(postgres.ERRORS):
                await transaction.commit()
            zombie.terminate()
            assert await postgres_alerts.offsets(heir, on.reader, on.topic) == {}
            async with on.connected() as again:
                with pytest.raises(LeaseLost):
                    await lease.renew(again)

    asyncio.run(scenario())


@pytest.mark.usefixtures("_hasty")
def test_a_second_alerter_is_refused_and_the_next_one_need_not_wait(
    kafka: str, database: str, rules: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with scene(kafka, database, rules) as on:
            bus, stores = {"kafka": {"bootstrap_servers": [kafka]}}, {"postgres": {"dsn": database}}
            written = {"installation": on.config.installation, "bus": bus, "stores": stores, "rules_dir": str(rules)}
            (tmp_path / "collector.yaml").write_text(yaml.safe_dump(written))
            stop = asyncio.Event()
            first = asyncio.create_task(run_roles([on.role()], stop))
            await on.send(documents("shop", 10))
            await on.until_done(10)
            words = ["collector", "run", "--config", str(tmp_path / "collector.yaml"), "--roles", "alerter"]
            second = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-m", "logintel", *words], capture_output=True, text=True, timeout=60
            )
            assert second.returncode == 1
            assert f"another {on.reader} is at work (host " in second.stderr
            assert "stop it, or leave the role out" in second.stderr
            assert database not in second.stderr
            assert "Traceback" not in second.stderr
            stop.set()
            await first
            async with on.connected() as connection, asyncio.timeout(0.5):
                await Lease.take(connection, on.reader)

    asyncio.run(scenario())


@pytest.mark.usefixtures("_hasty", "_short_lease")
def test_a_lost_connection_costs_and_doubles_nothing(
    kafka: str, database: str, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerter_role, "STEP", 50)

    async def scenario() -> None:
        async with scene(kafka, database, rules) as on:
            sent = documents("shop", 2000)
            await on.send(sent)

            async def throw_out() -> None:
                async with on.connected() as connection:
                    for done in (1, 600, 1200):
                        await on.until_done(done)
                        await connection.execute(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE application_name = 'logintel-alerter' AND datname = current_database()"
                        )

            role = on.role()
            async with asyncio.TaskGroup() as group:
                group.create_task(throw_out())
                group.create_task(run_roles([role], asyncio.Event(), once=True))
            *saved, offsets = await on.contents()
            assert tuple(saved) == await saved_in_sqlite(tmp_path, on, sent)
            assert offsets == {0: 2000}

    asyncio.run(scenario())


@pytest.mark.usefixtures("_hasty")
def test_an_alert_is_over_when_its_time_is_though_other_events_never_cease(
    kafka: str, database: str, rules: Path
) -> None:
    async def scenario() -> None:
        async with scene(kafka, database, rules) as on:
            moment = [NOW]
            role = AlerterRole(on.config, on.topic, lambda: moment[0])
            stop = asyncio.Event()
            running = asyncio.create_task(run_roles([role], stop))
            await on.send(documents("shop", 1, level="FATAL"))
            await on.until_done(1)
            moment[0] += timedelta(seconds=31)

            async with on.connected() as connection, asyncio.timeout(20):
                number = 0
                while await connection.fetchval("SELECT status FROM alerts") != "RESOLVED":
                    await on.send(documents("till", 1, number, "INFO"))
                    number += 1
            stop.set()
            await running
            alerts, _, outbox, _ = await on.contents()
            (alert,) = alerts.values()
            assert alert.resolved_at == "2026-03-05T00:00:31.000000Z"
            told = sorted(outbox.values(), key=lambda each: each.body["number"])
            assert [(each.body["number"], each.body["occasion"]) for each in told] == [(1, "opened"), (2, "resolved")]

    asyncio.run(scenario())


def test_what_is_gone_from_the_bus_is_reported_and_what_is_no_document_is_skipped(
    kafka: str, database: str, rules: Path
) -> None:
    async def scenario() -> None:
        async with scene(kafka, database, rules) as on:
            strange = [b"\xff", b"[]", b'{"log_id": "x", "timestamp": "yesterday", "source_id": "y", "metadata": {}}']
            await on.send([*documents("shop", 50, level="INFO"), *strange, *documents("shop", 1, 50, "FATAL")])
            async with on.connected() as connection:
                assert await postgres_alerts.record_start(connection, on.reader, on.topic, {0: 10}) == 1
                assert await postgres_alerts.record_start(connection, on.reader, on.topic, {0: 20}) == 0
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
            await admin.start()
            await admin.delete_records({TopicPartition(on.topic, 0): RecordsToDelete(before_offset=30)})
            await admin.close()
            role = on.role()
            with capture_logs() as logs:
                await run_roles([role], asyncio.Event(), once=True)
            (gap,) = (entry for entry in logs if entry["event"] == "bus_gap")
            assert (gap["wanted"], gap["continued_from"]) == (10, 30)
            assert (role.progress.gaps, role.progress.gap_records) == (1, 20)
            assert [entry["offset"] for entry in logs if entry["event"] == "document_skipped"] == [50, 51, 52]
            alerts, _, _, offsets = await on.contents()
            assert [alert.title for alert in alerts.values()] == ["anything fatal: source=shop"]
            assert offsets == {0: 54}
            assert role.summary() == {"done": 24, "alerts": 1, "skipped": 3}

    asyncio.run(scenario())


def test_a_dead_letter_that_was_sent_once_more_is_done_and_not_counted(kafka: str, database: str, rules: Path) -> None:
    async def scenario() -> None:
        async with scene(kafka, database, rules) as on:
            producer = AIOKafkaProducer(bootstrap_servers=kafka)
            await producer.start()
            for number, (document, out) in enumerate([("shop", replay_out), ("till", document_out)]):
                (fatal,) = documents(document, 1, 0, "FATAL")
                key, body, headers = out(fatal, Record(b"", b"s" * 16, seq_of(number)))
                await producer.send_and_wait(on.topic, body, key, partition=0, headers=headers)
            await producer.stop()
            role = on.role()
            await run_roles([role], asyncio.Event(), once=True)
            alerts, _, _, offsets = await on.contents()
            assert [alert.title for alert in alerts.values()] == ["anything fatal: source=till"]
            assert (role.progress.done, offsets) == (2, {0: 2})

    asyncio.run(scenario())
