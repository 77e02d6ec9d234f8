"""Every role that writes to PostgreSQL behind PgBouncer in transaction mode, with TLS on both sides and kills.

Session-level advisory locks, prepared statements and settings that outlive a transaction break there without a word:
the next statement is another connection's. So many clients share a few server connections here.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from debian_postgres import PASSWORD, Bouncer, Server

from logintel.bus import Record
from logintel.bus.topics import PROCESSING
from logintel.config.load import load
from logintel.encoder import Encoder
from logintel.event import Envelope, Event, Json, Level
from logintel.identity import identify, source_id
from logintel_collector.alerter import Alerter
from logintel_collector.config import CollectorConfig, PostgresConfig
from logintel_collector.document import Document
from logintel_collector.processor import Account, Processor
from logintel_collector.roles.messages import document_out
from logintel_collector.rules.loading import load_rules
from logintel_collector.stores.postgres import connected
from logintel_collector.stores.postgres_partitions import make_partitions

#: Seconds that anything may take on a machine that is busy.
PATIENCE: Final = 180.0
SHOPS: Final = 6
PART: Final = 500
STORED: Final = "SELECT count(*) FROM log_entries WHERE log_id <> 'old'"
#: An alert for each event that is FATAL: one that were counted twice would have a count of 2.
RULES: Final = {
    "name": "orders fail",
    "query": "level:FATAL",
    "conditions": {"type": "match", "group_by": "metadata.order"},
    "severity": "HIGH",
}
NOW: Final = datetime.now(UTC)


@dataclass
class Collectors:
    """Collector processes of one installation; what they write to stderr is kept."""

    directory: Path
    config: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, roles: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "logintel", "collector", "run", "--config", str(self.config), "--roles", roles]
        with self.log.open("ab") as log:
            self.running.append(subprocess.Popen(words, stderr=log))
        return self.running[-1]

    @property
    def log(self) -> Path:
        return self.directory / "collector.log"


@pytest.fixture
def database(debian: Server) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    debian.sql(f"CREATE DATABASE {name} OWNER logintel")
    yield name
    debian.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def bouncer(debian: Server, tmp_path: Path) -> Iterator[Bouncer]:
    made = Bouncer(debian.home, server=debian.port)
    made.start()
    yield made
    made.end(signal.SIGINT)


@pytest.fixture
def collectors(kafka: str, database: str, bouncer: Bouncer, tmp_path: Path) -> Iterator[Collectors]:
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d/rules.yaml").write_text(yaml.safe_dump(RULES))
    (tmp_path / "archive").mkdir()
    tls = f"sslmode=verify-full&sslrootcert={bouncer.home}/ca.crt"
    settings = {
        "installation": database,
        "bus": {"kafka": {"bootstrap_servers": [kafka]}},
        "stores": {
            "postgres": {
                "dsn": f"postgresql://logintel:{PASSWORD}@localhost:{bouncer.port}/{database}?{tls}",
                "archive_dir": str(tmp_path / "archive"),
            },
        },
        "rules_dir": "rules.d",
    }
    config = tmp_path / "collector.yaml"
    config.write_text(yaml.safe_dump(settings))
    words = [sys.executable, "-m", "logintel", "collector", "setup", "--config", str(config)]
    made = subprocess.run(words, check=False, capture_output=True, text=True, timeout=240)
    assert "tables: applied 0001 tables" in made.stdout, made.stderr
    started = Collectors(tmp_path, config)
    yield started
    for process in started.running:
        process.kill()
        process.wait()


Part = list[tuple[Document, Record]]


def part_of(shop: str, first: int) -> Part:
    """PART lines of a shop's log of the last two hours, from line `first` on."""
    numbers = range(first, first + PART)
    log_ids, seqs = identify(shop.encode().ljust(16), [(n, n + 1) for n in numbers])
    encode = Encoder(Envelope(source_id("logintel", shop, "web01"), {"source": shop, "source_type": "custom"})).encode
    records = []
    for number, log_id, seq in zip(numbers, log_ids, seqs, strict=True):
        stamp = (NOW + timedelta(seconds=3 * number - 7200)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        level: Level = "FATAL" if number % 40 == 7 else "INFO"
        order: dict[str, Json] = {"order": f"{shop}-{number}"}
        event = Event(raw=f"order {number}", timestamp=stamp, level=level, metadata=order)
        records.append(Record(encode(event, stamp, "record", log_id), b"s" * 16, seq))
    return list(Processor(lambda: NOW).documents(records, {}, Account()))


async def send(kafka: str, parts: list[Part]) -> None:
    """Each shop to a partition of its own, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True)
    await producer.start()
    try:
        for partition, part in enumerate(parts):
            for document, record in part:
                key, value, headers = document_out(document, record)
                await producer.send(PROCESSING.name, value, key, partition, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()


def expected_alerts(rules: Path, installation: str, parts: list[Part]) -> dict[str, Json]:
    """{id: count}, by the same rules over the same documents in one go."""
    loaded, _ = load_rules(rules, installation, lambda: NOW)
    documents = [document for part in parts for document, _ in part]
    changes = Alerter(loaded, [], [], lambda: NOW).evaluate(documents)
    return {alert.id: alert.metadata["count"] for alert in changes.alerts}


async def old_rows(config: PostgresConfig) -> str:
    """Rows that retention has to take; the name of their partition."""
    day = NOW.date() - timedelta(days=39)
    async with connected(config, "test") as connection:
        (made,) = await make_partitions(connection, [day], NOW.date())
        await connection.execute("INSERT INTO log_entries (log_id, timestamp, created_at) VALUES ('old', $1, $1)", day)
    return made.name


def test_nothing_is_lost_or_doubled_behind_pgbouncer(
    kafka: str, debian: Server, database: str, bouncer: Bouncer, collectors: Collectors
) -> None:
    """Killed one after the other, each at work: a collector, PgBouncer, PostgreSQL, all of its connections."""
    config = load(CollectorConfig, str(collectors.config))
    assert config.stores.postgres
    old = asyncio.run(old_rows(config.stores.postgres))
    everything = "recorder,alerter,notifier,keeper"
    first = collectors.start(everything)
    collectors.start("recorder,keeper")

    def count(query: str) -> int:
        return int(debian.sql(query, database))

    def until(query: str, least: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while (found := count(query)) < least:
            assert time.monotonic() < deadline, f"{query}: {found} of {least}\n{collectors.log.read_text()[-5000:]}"
            time.sleep(0.1)

    def collector_killed() -> None:
        first.kill()
        first.wait()
        collectors.start(everything)

    def bouncer_killed() -> None:
        bouncer.end(signal.SIGKILL)
        time.sleep(random.uniform(0, 2))
        bouncer.start()

    def server_killed() -> None:
        debian.end(signal.SIGQUIT)
        time.sleep(random.uniform(0, 2))
        debian.start()

    def connections_cut() -> None:
        for _ in range(3):
            count("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'logintel'")
            time.sleep(random.uniform(0, 0.5))

    parts: list[list[Part]] = []
    for fault in (collector_killed, bouncer_killed, server_killed, connections_cut):
        before = sum(len(part) for sent in parts for part in sent)
        parts.append([part_of(f"shop-{shop}", PART * len(parts)) for shop in range(SHOPS)])
        asyncio.run(send(kafka, parts[-1]))
        until(STORED, before + 1)
        fault()
    sent = [document.log_id for several in parts for part in several for document, _ in part]
    until(STORED, len(sent))
    until("SELECT coalesce(sum(position), 0) FROM consumer_offsets", len(sent))
    told = "SELECT count(*) FROM outbox JOIN outbox_deliveries ON notification_id = id WHERE retry_at IS NULL"
    until(told, count("SELECT count(*) FROM outbox"))
    assert sorted(debian.sql("SELECT log_id FROM log_entries WHERE log_id <> 'old'", database).split()) == sorted(sent)
    by_shop = [[pair for several in parts for pair in several[shop]] for shop in range(SHOPS)]
    alerts = debian.sql("SELECT json_object_agg(id, metadata -> 'count') FROM alerts", database)
    expected = expected_alerts(collectors.directory / "rules.d", database, by_shop)
    assert len(expected) == len(sent) / 40
    assert json.loads(alerts) == expected
    deadline = time.monotonic() + PATIENCE
    while not (archived := list((collectors.directory / "archive").glob(f"{old}_detached_*.json"))):
        assert time.monotonic() < deadline, collectors.log.read_text()[-5000:]
        time.sleep(0.2)
    assert [json.loads(path.read_text())["rows"] for path in archived] == [1]
    for process in collectors.running[1:]:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(PATIENCE) for process in collectors.running[1:]] == [0, 0]
    assert "prepared statement" not in collectors.log.read_text()
