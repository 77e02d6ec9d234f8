"""`logintel collector` and `config check --connect` against a real broker."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition

from logintel.bus import kafka_lz4
from logintel.bus.topics import INGESTION, PROCESSING, set_up
from logintel.config.shared import KafkaBusConfig
from logintel.main import main

CODE = "import sys; from logintel.main import main; sys.exit(main())"
LINES = 5000


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", CODE, *words]


def finished(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, check=False, timeout=90)


@pytest.fixture
def config(tmp_path: Path, kafka: str) -> Path:
    """Of an installation of this test's own, whose processors begin at the end of what other tests have sent."""
    bus = KafkaBusConfig(bootstrap_servers=(kafka,))
    name = f"test-{secrets.token_hex(6)}"

    async def begin_at_the_end() -> None:
        await set_up(bus)
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=f"{name}-processor", enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(INGESTION.name, number) for number in range(INGESTION.partitions)]
            consumer.assign(places)
            await consumer.commit(await consumer.end_offsets(places))
        finally:
            await consumer.stop()

    asyncio.run(begin_at_the_end())
    (tmp_path / "app.log").write_text("".join(f"{name} request {n}\n" for n in range(LINES)))
    source = {"name": "shop", "type": "application", "paths": [str(tmp_path / "app.log")], "format": "plain"}
    both = {"installation": name, "bus": {"kafka": {"bootstrap_servers": [kafka]}}}
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump({**both, "sources": [source]}))
    (tmp_path / "collector.yaml").write_text(yaml.safe_dump({**both, "roles": ["processor"]}))
    return tmp_path / "collector.yaml"


def processed(kafka: str, tag: str) -> list[str]:
    """The messages of this test's documents, in the order in which partitions hold them."""

    async def read() -> list[str]:
        kafka_lz4.install()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        found = []
        try:
            places = [TopicPartition(PROCESSING.name, number) for number in range(PROCESSING.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            async with asyncio.timeout(60):
                while any([await consumer.position(place) < ends[place] for place in places]):
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        found += [json.loads(record.value)["message"] for record in records]
        finally:
            await consumer.stop()
        return [message for message in found if message.startswith(tag)]

    return asyncio.run(read())


def test_lines_of_a_file_become_documents_each_once(config: Path, kafka: str) -> None:
    tag = yaml.safe_load(config.read_text())["installation"]
    agent = ("agent", "run", "--config", str(config.parent / "agent.yaml"), "--data", str(config.parent / "data"))
    assert finished(*agent, "--once").returncode == 0
    collecting = ("collector", "run", "--config", str(config), "--once", "--json")
    first = finished(*collecting)
    assert first.returncode == 0, first.stderr
    none = {"repeats": 0, "dead_letters": 0, "unenriched": 0}
    assert json.loads(first.stdout)["roles"] == {"processor": {"done": LINES, **none}}
    assert json.loads(finished(*collecting).stdout)["roles"]["processor"]["done"] == 0
    assert processed(kafka, tag) == [f"{tag} request {n}" for n in range(LINES)]


def test_setup_says_what_it_did_and_may_be_repeated(config: Path) -> None:
    name = yaml.safe_load(config.read_text())["installation"]
    setup = ("collector", "setup", "--config", str(config))
    finished(*setup)
    again = finished(*setup).stdout.splitlines()
    assert again[:2] == ["topics: all there", f"group {name}-processor: goes on where it was"]
    assert {line.partition(": ")[2] for line in again[1:]} == {"goes on where it was"}
    config.write_text(config.read_text().replace(name, f"{name}-other"))
    fresh = json.loads(finished(*setup, "--json").stdout)["done"]
    assert f"group {name}-other-processor: begins at the earliest record of 12 partitions of log-ingestion" in fresh


def listens(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal (proc(5), SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_a_collector_that_is_told_to_stop_ends_well(config: Path) -> None:
    running = subprocess.Popen(command("collector", "run", "--config", str(config)), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not listens(running.pid, signal.SIGTERM):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 0


def test_without_kafka_there_is_nothing_to_collect_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "collector.yaml").write_text("installation: x\n")
    assert main(["collector", "run", "--config", str(tmp_path / "collector.yaml")]) == 2
    assert "bus.kafka: is missing" in capsys.readouterr().err


def test_check_connect_says_what_answers(config: Path, kafka: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--connect", str(config)]) == 0
    assert f"Kafka at {kafka}: 1 brokers, all topics" in capsys.readouterr().out


def test_check_connect_names_each_server_that_does_not_answer_and_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing listens on port 1."""
    path = tmp_path / "collector.yaml"
    elasticsearch = {"hosts": ["http://127.0.0.1:1"], "username": "u", "password": "hidden-1"}
    stores = {"elasticsearch": elasticsearch, "postgres": {"dsn": "postgresql://u:hidden-2@127.0.0.1:1/x"}}
    path.write_text(yaml.safe_dump({"bus": {"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}}, "stores": stores}))
    assert main(["config", "check", str(path)]) == 0
    assert main(["config", "check", "--connect", str(path)]) == 1
    captured = capsys.readouterr()
    for server in ("Kafka at 127.0.0.1:1", "Elasticsearch at http://127.0.0.1:1", "PostgreSQL: "):
        assert f"logintel: {path}: {server}" in captured.err
    assert "hidden" not in captured.out + captured.err
    assert main(["config", "check", "--connect", "--json", str(path)]) == 1
    assert len(json.loads(capsys.readouterr().out)) == 3
