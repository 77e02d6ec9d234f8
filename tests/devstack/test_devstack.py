"""The devstack: real servers come up, go down and come back with their data; a killed one and a taken port do no harm."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from logintel_devstack import ports, server
from logintel_devstack.elasticsearch import Elasticsearch
from logintel_devstack.kafka import Kafka
from logintel_devstack.postgres import Postgres
from logintel_devstack.stack import Stack

COMMAND = [sys.executable, "-m", "logintel", "devstack"]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Of a stack of the test's own, which is brought down whatever happened."""
    yield tmp_path / "stack"
    Stack(tmp_path / "stack").down()


def called(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False, capture_output=True, text=True)


def devstack(*arguments: str | Path) -> Any:
    """What `logintel devstack ARGUMENTS --json` prints."""
    done = called(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def kept_by_kafka(address: str) -> int:
    """Add a record to a topic; how many there are."""

    async def add() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        await admin.create_topics([NewTopic("kept", 1, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            await producer.send_and_wait("kept", b"one")
        async with AIOKafkaConsumer(bootstrap_servers=address) as consumer:
            ends = await consumer.end_offsets([TopicPartition("kept", 0)])
        return int(sum(ends.values()))

    return asyncio.run(add())


def kept_by_elasticsearch(address: str) -> int:
    """Add a document; how many there are."""
    request = urllib.request.Request(
        f"{address}/kept/_doc?refresh=true", b'{"n": 1}', {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201
    with urllib.request.urlopen(f"{address}/kept/_count", timeout=30) as answer:
        return int(json.loads(answer.read())["count"])


def kept_by_postgres(address: str) -> int:
    """Add a row; how many there are."""

    async def add() -> int:
        connection = await asyncpg.connect(address, timeout=10)
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        await connection.execute("INSERT INTO kept VALUES (1)")
        count = await connection.fetchval("SELECT count(*) FROM kept")
        await connection.close()
        return int(count)

    return asyncio.run(add())


KEPT: dict[str, Callable[[str], int]] = {
    "kafka": kept_by_kafka,
    "elasticsearch": kept_by_elasticsearch,
    "postgres": kept_by_postgres,
}


def test_all_three_come_back_with_their_data_after_down_and_after_kill(directory: Path) -> None:
    addresses = devstack("up", "--dir", directory)
    assert list(addresses) == ["kafka", "elasticsearch", "postgres"]
    assert [KEPT[name](address) for name, address in addresses.items()] == [1, 1, 1]
    assert devstack("down", "--dir", directory) == dict.fromkeys(KEPT, "stopped")
    assert not any(server["running"] for server in devstack("status", "--dir", directory).values())
    assert devstack("down", "--dir", directory) == {}
    assert devstack("up", "--dir", directory) == addresses
    assert [KEPT[name](address) for name, address in addresses.items()] == [2, 2, 2]
    for name in KEPT:
        Stack(directory).kill(name)
    assert not any(server["running"] for server in devstack("status", "--dir", directory).values())
    assert devstack("up", "--dir", directory) == addresses
    assert [KEPT[name](address) for name, address in addresses.items()] == [3, 3, 3]
    status = devstack("status", "--dir", directory)
    assert {name: server["address"] for name, server in status.items() if server["running"]} == addresses


def test_a_port_that_somebody_took_is_left_to_them(directory: Path) -> None:
    address = devstack("up", "--only", "postgres", "--dir", directory)["postgres"]
    assert kept_by_postgres(address) == 1
    devstack("down", "--dir", directory)
    with socket.create_server(("127.0.0.1", urlsplit(address).port or 0)):
        done = called("up", "--only", "postgres", "--dir", directory)
        assert f"port {urlsplit(address).port} is taken by another program; it moves" in done.stderr
        status = devstack("status", "--dir", directory)["postgres"]
        assert status["address"] != address
        assert kept_by_postgres(status["address"]) == 2


def test_a_port_that_is_taken_while_it_starts_is_left_and_another_tried(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        taken = thief.getsockname()[1]
        choices = iter([taken])
        monkeypatch.setattr(server, "free_port", lambda spoken_for: next(choices, 0) or ports.free_port(spoken_for))
        address = Stack(directory).up(["kafka"])["kafka"]
    assert address != f"127.0.0.1:{taken}"
    assert kept_by_kafka(address) == 1
    assert "kafka: another program took a port of its before it did; it is started again" in capsys.readouterr().err


def test_two_at_once_bring_up_one_server(directory: Path) -> None:
    command = [*COMMAND, "up", "--only", "postgres", "--json", "--dir", str(directory)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (json.loads(one.communicate(timeout=120)[0]) for one in both)
    assert first == second
    assert kept_by_postgres(first["postgres"]) == 1


def test_an_unknown_server_is_named_with_those_there_are() -> None:
    done = called("up", "--only", "kafka,postgers")
    assert done.returncode == 2
    assert "no server 'postgers'; did you mean 'postgres'?: there are kafka, kafka-secured" in done.stderr


def test_no_server_listens_beyond_this_machine_or_lets_others_read_its_data(directory: Path) -> None:
    stack = Stack(directory)
    stack.up(["postgres"])
    port = stack.status()["postgres"].ports["client"]
    listening = Path("/proc/net/tcp").read_text("ascii") + Path("/proc/net/tcp6").read_text("ascii")
    hosts = {
        line.split()[1].split(":")[0] for line in listening.splitlines() if f":{port:04X} " in line.split(" 0A")[0]
    }
    assert hosts == {"0100007F"}
    assert (directory / "postgres").stat().st_mode & 0o077 == 0


def test_a_server_that_cannot_start_is_told_with_its_log(directory: Path) -> None:
    devstack("up", "--only", "postgres", "--dir", directory)
    devstack("down", "--dir", directory)
    shutil.rmtree(directory / "postgres" / "data" / "global")
    done = called("up", "--only", "postgres", "--dir", directory)
    assert done.returncode == 1
    assert f"postgres ended while it was starting: its log says why: {directory}/postgres/postgres.log" in done.stderr
    assert "\n    " in done.stderr.partition("postgres.log")[2], "the end of the log"


def test_the_compose_file_runs_the_same_versions_on_the_loopback_address() -> None:
    services = yaml.safe_load((Path(__file__).parents[2] / "devstack/compose.yaml").read_text("utf-8"))["services"]
    versions = {name: service["image"].rpartition(":")[2] for name, service in services.items()}
    assert versions == {server.name: server.version for server in (Kafka, Elasticsearch, Postgres)}
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])
