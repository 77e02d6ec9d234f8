"""The recorder on a real broker and a real PostgreSQL: what is on log-processing is a row, each once."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from logintel.bus import Stored, kafka_lz4
from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_groups import commit_back, commit_start
from logintel.bus.topics import PROCESSING, set_up
from logintel.config.shared import KafkaBusConfig
from logintel.config.version import config_version
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.processor import Account, Processor
from logintel_collector.roles import runner
from logintel_collector.roles.messages import document_out
from logintel_collector.roles.recorder_role import RecorderRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_partitions import make_partitions
from logintel_devstack.stack import Stack

NOW = datetime.now(UTC)
TODAY = NOW.date()
PARTITION = f"log_entries_{TODAY:%Y%m%d}"
Records = Callable[..., list[Stored]]
CODE = "import sys; from logintel.main import main; sys.exit(main())"


@dataclass(frozen=True)
class Place:
    """Topics and the database of one test."""

    config: CollectorConfig
    topic: str
    dead: str
    connection: asyncpg.Connection

    @property
    def kafka(self) -> str:
        assert self.config.bus.kafka
        return self.config.bus.kafka.bootstrap_servers[0]

    def role(self) -> RecorderRole:
        return RecorderRole(self.config, self.topic, self.dead)

    async def caught_up(self) -> RecorderRole:
        """A recorder of the group that has read all there is."""
        role = self.role()
        async with asyncio.timeout(120):
            await run_roles([role], asyncio.Event(), once=True)
        return role

    async def send(self, messages: Sequence[Message]) -> None:
        await sent(self.kafka, self.topic, messages)

    async def letters(self) -> list[dict[str, Any]]:
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(self.dead, bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            place = TopicPartition(self.dead, 0)
            end = (await consumer.end_offsets([place]))[place]
            found: list[dict[str, Any]] = []
            async with asyncio.timeout(30):
                while len(found) < end:
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        found += [orjson.loads(record.value) for record in records]
        finally:
            await consumer.stop()
        return found

    async def committed(self) -> int:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=f"{self.config.installation}-recorder")
        await consumer.start()
        try:
            return sum([await consumer.committed(TopicPartition(self.topic, number)) or 0 for number in range(3)])
        finally:
            await consumer.stop()

    async def count(self) -> int:
        return int(await self.connection.fetchval("SELECT count(*) FROM log_entries"))

    async def by_partition(self) -> dict[str, int]:
        query = "SELECT tableoid::regclass::text, count(*) FROM log_entries GROUP BY 1"
        return dict(await self.connection.fetch(query))


@asynccontextmanager
async def place(kafka: str, database: str, *, tables: bool = True) -> AsyncIterator[Place]:
    name = f"t{secrets.token_hex(6)}"
    config = CollectorConfig.model_validate(
        {
            "installation": name,
            "bus": {"kafka": {"bootstrap_servers": [kafka]}},
            "stores": {"postgres": {"dsn": database}},
            "roles": ["recorder"],
        }
    )
    assert config.bus.kafka
    assert config.stores.postgres
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    topic, dead = f"{name}-processing", f"{name}-dead"
    try:
        await admin.create_topics([NewTopic(topic, 3, 1), NewTopic(dead, 1, 1)])
        assert await commit_start(config.bus.kafka, f"{name}-recorder", topic) == 3
        async with connected(config.stores.postgres, "test") as connection:
            if tables:
                await migrate(connection)
            yield Place(config, topic, dead, connection)
        await admin.delete_topics([topic, dead])
    finally:
        await admin.close()


async def sent(kafka: str, topic: str, messages: Sequence[Message]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5)
    await producer.start()
    try:
        answers = [
            await producer.send(topic, value, key, n % 3, headers=headers)
            for n, (key, value, headers) in enumerate(messages)
        ]
        await asyncio.gather(*answers)
    finally:
        await producer.stop()


def messages(records: Iterable[Stored]) -> list[Message]:
    """What the processor makes of them."""
    made = Processor(lambda: NOW).documents([record for _, record in records], {}, Account())
    return [document_out(document, record) for document, record in made]


def changed(before: Message, day: bytes = b"2026.03.04", **fields: Any) -> Message:
    key, value, headers = before
    body = orjson.dumps({**orjson.loads(value or b""), **fields})
    return key, body, [("day", day) if name == "day" else (name, header) for name, header in headers]


def today(records: Iterable[Stored]) -> list[Message]:
    stamp = NOW.strftime("%Y-%m-%dT00:00:00.000000Z")
    return [changed(message, f"{TODAY:%Y.%m.%d}".encode(), timestamp=stamp) for message in messages(records)]


def ids(messages: Iterable[Message]) -> list[str]:
    return sorted(str(orjson.loads(value or b"")["log_id"]) for _, value, _ in messages)


async def stored(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch("SELECT log_id FROM log_entries ORDER BY log_id")]


def test_documents_are_rows_in_the_partition_of_their_day(kafka: str, database: str, records: Records) -> None:
    async def scenario() -> None:
        async with place(kafka, database) as at:
            new = today(records(300))
            outlier = changed(messages(records(1, b"o" * 16))[0], b"", timestamp="1999-01-01T00:00:00.000000Z")
            old = changed(messages(records(1, b"p" * 16))[0], b"2025.03.04", timestamp="2025-03-04T00:00:00.000000Z")
            await at.send([*new, outlier, old])
            role = await at.caught_up()
            assert role.summary() == {"done": 302, "dead_letters": 0}
            assert await at.committed() == 302
            assert await at.by_partition() == {
                PARTITION: 300, "log_entries_default": 1, "log_entries_20250301_20250401": 1,
            }  # fmt: skip
            assert await stored(at.connection) == ids([*new, outlier, old])
            assert (await at.caught_up()).progress.done == 0

    asyncio.run(scenario())


def test_what_no_row_can_hold_becomes_a_dead_letter_and_stops_nothing(
    kafka: str, database: str, records: Records
) -> None:
    async def scenario() -> None:
        async with place(kafka, database) as at:
            good = today(records(50))
            foreign: Message = (b"s" * 16, b"{oops", [])
            nothing: Message = (b"s" * 16, None, [])
            wide, typed, nul, bare = today(records(4, b"b" * 16))
            wide, typed = changed(wide, level="secret" * 9), changed(typed, size_bytes="secret")
            nul, bare = changed(nul, message="a\0b"), changed(bare, source_id="secret")
            await at.send([*good[:20], foreign, wide, nothing, typed, nul, bare, *good[20:], *good[:5]])
            role = await at.caught_up()
            assert role.dead_letters == 5
            assert await stored(at.connection) == ids([*good, nul])
            assert await at.committed() == 61
            letters = {base64.b64decode(letter["original"]): letter for letter in await at.letters()}
            assert {original: letter["reason"] for original, letter in letters.items()} == {
                b"{oops": "undecodable",
                b"": "undecodable",
                bare[1]: "undecodable",
                wide[1]: "refused",
                typed[1]: "refused",
            }
            assert {letter["stage"] for letter in letters.values()} == {"recorder"}
            assert {letter["config_version"] for letter in letters.values()} == {config_version(at.config)}
            assert letters[wide[1] or b""]["log_id"] == ids([wide])[0]
            assert not any("secret" in letter["error"] for letter in letters.values())
            assert (await at.caught_up()).dead_letters == 0

    asyncio.run(scenario())


def test_a_long_reader_stops_no_rows(
    kafka: str, database: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that runs for hours: no partition can be made meanwhile, the default one takes the rows."""
    monkeypatch.setattr("logintel_collector.stores.postgres_partitions.LOCK_WAIT", 1)

    async def scenario() -> None:
        async with place(kafka, database) as at:
            new = today(records(300))
            await at.send(new)
            async with at.connection.transaction():
                await at.count()
                await at.caught_up()
            assert await at.by_partition() == {"log_entries_default": 300}
            await make_partitions(at.connection, [TODAY], TODAY)
            assert await at.by_partition() == {PARTITION: 300}
            assert await stored(at.connection) == ids(new)

    asyncio.run(scenario())


def test_a_server_that_is_killed_and_comes_back_has_all(
    devstack: Stack, kafka: str, database: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PAUSE", (0.1, 1.0))

    async def scenario() -> None:
        async with place(kafka, database) as at:
            first, second = today(records(20_000)), today(records(2000, b"2" * 16))
            await at.send(first)
            stop, role = asyncio.Event(), at.role()
            running = asyncio.create_task(run_roles([role], stop))
            try:
                async with asyncio.timeout(60):
                    while not role.progress.done:
                        await asyncio.sleep(0.01)
                await asyncio.sleep(random.uniform(0, 0.2))
                await asyncio.to_thread(devstack.kill, "postgres")
                assert role.progress.done < 20_000
                await at.send(second)
                async with asyncio.timeout(30):
                    while not role.progress.trouble:
                        await asyncio.sleep(0.01)
            finally:
                await asyncio.to_thread(devstack.up, ["postgres"])
            async with asyncio.timeout(90):
                while role.progress.done < 22_000:
                    await asyncio.sleep(0.05)
            stop.set()
            await running
            assert role.dead_letters == 0
            assert at.config.stores.postgres
            async with connected(at.config.stores.postgres, "test") as connection:
                assert await stored(connection) == ids([*first, *second])

    asyncio.run(scenario())


def test_a_database_that_was_restored_gets_the_rest_by_reading_once_more(
    kafka: str, database: str, records: Records
) -> None:
    """`logintel collector rewind`: what is gone comes again, what is there stays once, and nobody is surprised at work."""

    async def scenario() -> None:
        async with place(kafka, database) as at:
            before, after = today(records(100)), today(records(200, b"2" * 16))
            await at.send(before)
            await at.caught_up()
            moment = datetime.now(UTC)
            await at.send(after)
            await at.caught_up()
            await at.connection.execute("DELETE FROM log_entries WHERE log_id = ANY ($1)", ids(after))
            assert at.config.bus.kafka
            rewinding = (at.config.bus.kafka, f"{at.config.installation}-recorder", at.topic)
            role, stop = at.role(), asyncio.Event()
            running = asyncio.create_task(run_roles([role], stop))
            async with asyncio.timeout(60):
                while role.progress.lag != 0:
                    await asyncio.sleep(0.05)
            with pytest.raises(Refused, match="stop its members, then try again"):
                await commit_back(*rewinding, moment)
            stop.set()
            await running
            assert await at.count() == 100
            assert await commit_back(*rewinding, moment) == 200
            await at.caught_up()
            assert await stored(at.connection) == ids([*before, *after])
            assert await commit_back(*rewinding, moment - timedelta(days=1)) == 300
            assert await commit_back(*rewinding, moment) == 0, "never forward"
            assert await at.committed() == 0

    asyncio.run(scenario())


def test_without_tables_nothing_is_recorded(kafka: str, database: str) -> None:
    async def scenario() -> None:
        async with place(kafka, database, tables=False) as at:
            with pytest.raises(ExceptionGroup) as caught:
                await at.caught_up()
            (refusal,) = caught.value.exceptions
            assert isinstance(refusal, Refused)
            assert "run `logintel collector setup`" in str(refusal)

    asyncio.run(scenario())


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", CODE, "collector", *words]


def finished(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, check=False, timeout=120)


async def begin_at_the_end(kafka: str, group: str) -> None:
    """Of what other tests have sent."""
    await set_up(KafkaBusConfig(bootstrap_servers=(kafka,)))
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(PROCESSING.name, number) for number in range(PROCESSING.partitions)]
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
    finally:
        await consumer.stop()


def test_a_recorder_that_is_killed_at_any_moment_costs_and_doubles_nothing(
    kafka: str, database: str, records: Records, tmp_path: Path
) -> None:
    """`logintel collector setup`, then `run --roles recorder` killed, then once more to the end."""
    installation, path = f"t{secrets.token_hex(6)}", str(tmp_path / "collector.yaml")
    settings = {
        "installation": installation,
        "bus": {"kafka": {"bootstrap_servers": [kafka]}},
        "stores": {"postgres": {"dsn": database}},
    }
    Path(path).write_text(yaml.safe_dump(settings))
    input_ = today(records(20_000))
    run = command("run", "--config", path, "--roles", "recorder")

    async def scenario() -> None:
        await begin_at_the_end(kafka, f"{installation}-recorder")
        made = await asyncio.to_thread(finished, "setup", "--config", path)
        assert "tables: applied 0001 tables" in made.stdout.splitlines()
        await sent(kafka, PROCESSING.name, input_)
        config = CollectorConfig.model_validate(settings).stores.postgres
        assert config
        async with connected(config, "test") as connection:
            running = await asyncio.create_subprocess_exec(*run, stderr=subprocess.DEVNULL)
            try:
                async with asyncio.timeout(60):
                    while not await connection.fetchval("SELECT count(*) FROM log_entries"):
                        await asyncio.sleep(0.01)
                await asyncio.sleep(random.uniform(0, 0.3))
            finally:
                running.kill()
                await running.wait()
            assert 0 < await connection.fetchval("SELECT count(*) FROM log_entries") < 20_000
            last = await asyncio.to_thread(finished, *run[4:], "--once", "--json")
            assert last.returncode == 0, last.stderr
            assert json.loads(last.stdout)["roles"]["recorder"]["dead_letters"] == 0
            assert await stored(connection) == ids(input_)
        again = await asyncio.to_thread(finished, "setup", "--config", path)
        assert "tables: all there" in again.stdout.splitlines()

    asyncio.run(scenario())


def test_a_role_whose_store_is_not_configured_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text(yaml.safe_dump({"bus": {"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}}}))
    done = finished("run", "--config", str(path), "--roles", "recorder,alerter")
    assert done.returncode == 2
    for role in ("recorder", "alerter"):
        assert f"{path}: stores.postgres: is missing: role {role} needs it" in done.stderr
