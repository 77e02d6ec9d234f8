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
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
import yaml
from debian_postgres import PASSWORD, Bouncer, Server
from processed import NOW, Part, part_of, send

from logintel.config.load import load
from logintel.event import Json
from logintel_collector.alerter import Alerter
from logintel_collector.config import CollectorConfig, PostgresConfig
from logintel_collector.rules.loading import load_rules
from logintel_collector.stores.postgres import connected
from logintel_collector.stores.postgres_partitions import make_partitions
from logintel_devstack.stack import Stack

#: Seconds that anything may take on a machine that is busy.
PATIENCE: Final = 180.0
SHOPS: Final = 6
PART: Final = 500
EVERYTHING: Final = "recorder,alerter,notifier,keeper"
STORED: Final = "SELECT count(*) FROM log_entries"
TOLD: Final = "SELECT count(*) FROM outbox JOIN outbox_deliveries ON notification_id = id WHERE retry_at IS NULL"
#: An alert for each event that is FATAL: one that were counted twice would have a count of 2.
RULES: Final = {
    "name": "orders fail",
    "query": "level:FATAL",
    "conditions": {"type": "match", "group_by": "metadata.order"},
    "severity": "HIGH",
}


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

    def stopped(self) -> str:
        """Ask all to end, see that they end well; what they have said."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        assert {process.wait(PATIENCE) for process in self.running} == {0}, self.last_said()
        return self.log.read_text()

    def last_said(self) -> str:
        return self.log.read_text()[-5000:]

    @property
    def log(self) -> Path:
        return self.directory / "collector.log"


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[str]:
    """One of its own: these tests count all that is on the topics."""
    stack = Stack(tmp_path / "devstack")
    yield stack.up(["kafka"])["kafka"]
    stack.down()


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


@dataclass
class Scene:
    """The servers and the collectors of one installation, and what can befall them."""

    server: Server
    bouncer: Bouncer
    database: str
    collectors: Collectors

    def rows(self, query: str) -> str:
        """What the server answers, past PgBouncer."""
        return self.server.sql(query, self.database)

    def until(self, query: str, least: int) -> None:
        """Wait until the query counts so many."""
        deadline = time.monotonic() + PATIENCE
        while (found := int(self.rows(query))) < least:
            assert time.monotonic() < deadline, f"{query}: {found} of {least}\n{self.collectors.last_said()}"
            time.sleep(0.1)

    def collector_killed(self) -> None:
        process = self.collectors.running.pop(0)
        process.kill()
        process.wait()
        self.collectors.start(EVERYTHING)

    def bouncer_killed(self) -> None:
        self.bouncer.end(signal.SIGKILL)
        time.sleep(random.uniform(0, 2))
        self.bouncer.start()

    def server_killed(self) -> None:
        self.server.end(signal.SIGQUIT)
        time.sleep(random.uniform(0, 2))
        self.server.start()

    def connections_cut(self) -> None:
        for _ in range(3):
            self.rows("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'logintel'")
            time.sleep(random.uniform(0, 0.5))


@pytest.fixture
def scene(debian: Server, bouncer: Bouncer, database: str, collectors: Collectors) -> Scene:
    return Scene(debian, bouncer, database, collectors)


def test_nothing_is_lost_or_doubled_behind_pgbouncer(kafka: str, scene: Scene) -> None:
    """Killed one after the other, each at work: a collector, PgBouncer, PostgreSQL, all of its connections."""
    scene.collectors.start(EVERYTHING)
    scene.collectors.start("recorder,keeper")
    shops: list[Part] = [[] for _ in range(SHOPS)]
    for fault in (scene.collector_killed, scene.bouncer_killed, scene.server_killed, scene.connections_cut):
        stored = sum(map(len, shops))
        parts = [part_of(f"shop-{number}", len(shop), PART) for number, shop in enumerate(shops)]
        asyncio.run(send(kafka, parts))
        scene.until(STORED, stored + 1)
        fault()
        for shop, part in zip(shops, parts, strict=True):
            shop.extend(part)
    sent = sorted(document.log_id for shop in shops for document, _ in shop)
    scene.until(STORED, len(sent))
    scene.until("SELECT coalesce(sum(position), 0) FROM consumer_offsets", len(sent))
    scene.until(TOLD, int(scene.rows("SELECT count(*) FROM outbox")))
    assert sorted(scene.rows("SELECT log_id FROM log_entries").split()) == sent
    alerts = json.loads(scene.rows("SELECT json_object_agg(id, metadata -> 'count') FROM alerts"))
    expected = expected_alerts(scene.collectors.directory / "rules.d", scene.database, shops)
    assert len(expected) == len(sent) / 40
    assert alerts == expected
    assert "prepared statement" not in scene.collectors.stopped()


def test_the_keeper_archives_behind_pgbouncer(scene: Scene) -> None:
    """Two of them, over few connections: what is old is in a file once, and away."""
    config = load(CollectorConfig, str(scene.collectors.config))
    assert config.stores.postgres
    old = asyncio.run(old_rows(config.stores.postgres))
    for _ in range(2):
        scene.collectors.start("keeper")
    archive, deadline = scene.collectors.directory / "archive", time.monotonic() + PATIENCE
    while not list(archive.glob("*.json")) or scene.rows("SELECT count(*) FROM log_entries") != "0":
        assert time.monotonic() < deadline, scene.collectors.last_said()
        time.sleep(0.2)
    (manifest,) = archive.glob(f"{old}_detached_*.json")
    assert json.loads(manifest.read_text())["rows"] == 1
    scene.collectors.stopped()
