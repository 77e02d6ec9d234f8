"""An installation on real servers: its own database, index prefix, groups and configuration, and its processes."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition

from logintel.bus import kafka_lz4
from logintel.bus.topics import INGESTION, PROCESSING, Topic, set_up
from logintel.config.shared import KafkaBusConfig
from logintel_collector.config import PostgresConfig
from logintel_collector.roles import reader_of
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_alerts import record_start
from logintel_devstack.stack import Stack

COMMAND = [sys.executable, "-m", "logintel"]
#: What differs between two readings of the same bytes.
_OF_A_READING = {"log_id", "created_at", "latency_ms"}


def comparable(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Documents without what a reading gives them, in an order of their own.

    What an index moved to `overflow` is put back: that depends on what else is in it.
    """
    whole = (_joined({k: v for k, v in d.items() if k != "overflow"}, d.get("overflow", {})) for d in documents)
    return sorted(json.dumps({k: v for k, v in d.items() if k not in _OF_A_READING}, sort_keys=True) for d in whole)


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {key: _joined(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **both}


@dataclass
class Installation:
    """`name` is its own, so that what other tests left on the topics is told apart; its groups begin behind that."""

    directory: Path
    addresses: dict[str, str]
    name: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def collector(self) -> Path:
        return self.directory / "collector.yaml"

    @property
    def agent(self) -> Path:
        return self.directory / "agent.yaml"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def dsn(self) -> str:
        return f"{self.addresses['postgres'].rpartition('/')[0]}/{self.name}"

    def configure(self, sources: list[dict[str, Any]], **collector: Any) -> None:
        """Write both configurations, and set the servers up."""
        shared = {
            "installation": self.name,
            "bus": {"kafka": {"bootstrap_servers": [self.addresses["kafka"]]}},
        }
        self.agent.write_text(yaml.safe_dump({**shared, "sources": sources}))
        stores = {
            "elasticsearch": {"hosts": [self.addresses["elasticsearch"]], "prefix": f"{self.name}-"},
            "postgres": {"dsn": self.dsn},
        }
        self.collector.write_text(yaml.safe_dump({**shared, "stores": stores, **collector}))
        self.finished("collector", "setup", "--config", self.collector)

    def finished(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """A command that ended well."""
        done = subprocess.run(
            [*COMMAND, *map(str, words)], check=False, capture_output=True, text=True, timeout=240, cwd=self.directory
        )
        assert done.returncode == 0, done.stderr
        return done

    def run_in_one_process(self, data: str, sources: list[dict[str, Any]], rules: Path) -> None:
        """The same input through `logintel run`: what the servers must hold as well."""
        config = self.directory / f"{data}.yaml"
        config.write_text(yaml.safe_dump({"installation": self.name, "sources": sources, "rules_dir": str(rules)}))
        self.finished("run", "--once", "--config", config, "--data", data, "--json")

    def run_once(self) -> dict[str, Any]:
        """Agent, then collector, until all is stored; what the roles say."""
        self.finished("agent", "run", "--config", self.agent, "--data", self.data, "--once")
        return self.collect_once()

    def collect_once(self) -> dict[str, Any]:
        done = self.finished("collector", "run", "--config", self.collector, "--once", "--json")
        roles: dict[str, Any] = json.loads(done.stdout)["roles"]
        return roles

    def start(self, process: str) -> None:
        """Start the agent, or one role in a process of its own."""
        words = ["agent", "run", "--config", self.agent, "--data", self.data]
        if process != "agent":
            words = ["collector", "run", "--config", self.collector, "--roles", process]
        with (self.directory / f"{process}.log").open("ab") as log:
            self.running[process] = subprocess.Popen([*COMMAND, *map(str, words)], stdout=log, stderr=log)

    def kill(self, process: str) -> None:
        """As the kernel does when memory is short."""
        self.running[process].kill()
        self.running.pop(process).wait()

    def stop(self) -> None:
        """Ask all to end, and see that they end well."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        ended = {name: process.wait(60) for name, process in self.running.items()}
        self.running.clear()
        assert set(ended.values()) <= {0}, ended

    def search(self, query: str) -> list[dict[str, Any]]:
        """Every document that matches, from Elasticsearch."""
        done = self.finished("search", query, "--config", self.collector, "--json", "--limit", "0")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def count(self, query: str) -> int:
        return int(self.finished("search", query, "--config", self.collector, "--count").stdout)

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """What PostgreSQL answers."""

        async def fetch() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self.dsn, timeout=10)
            try:
                return [dict(row) for row in await connection.fetch(query, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def read(self, topic: Topic) -> list[Any]:
        """Every committed record of a topic."""
        return asyncio.run(_read(self.addresses["kafka"], topic))


async def prepare(made: Installation) -> None:
    """Make the database, and let the groups and the alerter begin at the end of what other tests have sent."""
    connection = await asyncpg.connect(made.addresses["postgres"], timeout=10)
    await connection.execute(f'CREATE DATABASE "{made.name}"')
    await connection.close()
    await set_up(KafkaBusConfig(bootstrap_servers=(made.addresses["kafka"],)))
    for role, topic in (("processor", INGESTION), ("indexer", PROCESSING), ("recorder", PROCESSING)):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=made.addresses["kafka"], group_id=f"{made.name}-{role}", enable_auto_commit=False
        )
        await consumer.start()
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.commit(ends)
        await consumer.stop()
    async with connected(PostgresConfig.model_validate({"dsn": made.dsn}), "test") as tables:
        await migrate(tables)
        starts = {place.partition: offset for place, offset in ends.items()}
        await record_start(tables, reader_of(made.name), PROCESSING.name, starts)


async def _read(kafka: str, topic: Topic) -> list[Any]:
    kafka_lz4.install()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    found: list[Any] = []
    try:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        async with asyncio.timeout(60):
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += records
    finally:
        await consumer.stop()
    return found


@pytest.fixture(name="installation")
def new_installation(devstack: Stack, tmp_path: Path) -> Iterator[Installation]:
    """An installation that nobody has used; what it started is ended with the test."""
    made = Installation(tmp_path, devstack.up(), f"test-{secrets.token_hex(5)}")
    asyncio.run(prepare(made))
    yield made
    for process in made.running.values():
        process.kill()
        process.wait()
