"""From a socket or a pipe through the spool to a real broker: what was accepted arrives, whenever the agent is killed."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from logintel.bus.kafka_consumer import GroupConsumer
from logintel.bus.segment_survey import read, segments_in
from logintel.bus.topics import INGESTION, set_up
from logintel.config.shared import KafkaBusConfig
from logintel.event import decode
from logintel_agent import spool_event
from logintel_devstack.ports import free_port

COMMAND = [sys.executable, "-m", "logintel", "agent", "run"]
NOBODY = "127.0.0.1:9"


class Host:
    """An agent's configuration and data; `tag` is in every line of this test alone."""

    def __init__(self, directory: Path, source: dict[str, Any]) -> None:
        self.directory = directory
        self.tag = secrets.token_hex(8)
        self.source = {"name": "net", "type": "application", "format": "plain", **source}

    def words(self, kafka: str) -> list[str]:
        """The command of an agent that sends to this broker."""
        config = {"bus": {"kafka": {"bootstrap_servers": [kafka]}}, "sources": [self.source]}
        (self.directory / "agent.yaml").write_text(json.dumps(config))
        return [*COMMAND, "--config", str(self.directory / "agent.yaml"), "--data", str(self.directory / "data")]

    def once(self, kafka: str, given: bytes = b"") -> dict[str, Any]:
        """The summary of a run that ends, with `given` as its standard input."""
        done = subprocess.run(
            [*self.words(kafka), "--once", "--json"], input=given, capture_output=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr.decode()
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    @property
    def spool(self) -> Path:
        return self.directory / "data" / "agent" / "worker-0" / "spool" / "net"

    def spooled_bytes(self) -> int:
        """Bytes in the spool."""
        return sum(path.stat().st_size for path in self.spool.glob("*.seg"))

    def spooled(self) -> list[str]:
        """What is in the spool, delivered or not."""
        entries = [entry for segment in segments_in(self.spool) for entry in read(segment)]
        return [spool_event.decode(payload).raw for _, payload in entries]


async def _arrived(kafka: str, tag: str, count: int) -> list[tuple[str, str]]:
    consumer = GroupConsumer(KafkaBusConfig(bootstrap_servers=(kafka,)), INGESTION.name, f"g-{secrets.token_hex(6)}")
    await consumer.start()
    found: list[tuple[str, str]] = []
    quiet = 0
    try:
        async with asyncio.timeout(60):
            while quiet < 2:
                batches = await consumer.read(5000, 1.0)
                values = [record.value for batch in batches for record in batch.records if record.value]
                events = [decode(value) for value in values if tag.encode() in value]
                found += [(str(event["raw_log"]), str(event["log_id"])) for event in events]
                quiet = 0 if batches or len({text for text, _ in found}) < count else quiet + 1
    finally:
        await consumer.stop()
    return found


def arrived(kafka: str, tag: str, count: int) -> list[tuple[str, str]]:
    """(text, log_id) of every event of this test, when `count` different ones are there and nothing more comes."""
    return asyncio.run(_arrived(kafka, tag, count))


def eventually(condition: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def connected(port: int, running: subprocess.Popen[bytes]) -> socket.socket:
    """A connection to the agent as soon as it listens."""
    sender = socket.socket()
    eventually(lambda: sender.connect_ex(("127.0.0.1", port)) == 0, running)
    return sender


def send_until_it_breaks(sender: socket.socket, lines: list[bytes]) -> None:
    with suppress(OSError):
        for line in lines:
            sender.sendall(line)


def test_a_kill_in_mid_flow_loses_nothing_that_was_accepted(tmp_path: Path, kafka: str) -> None:
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    port = free_port(())
    host = Host(tmp_path, {"listen": [f"tcp://127.0.0.1:{port}"]})
    accepted: set[str] = set()
    for life, broker in enumerate((NOBODY, kafka)):
        lines = [f"{host.tag} {life}-{n}\n".encode() for n in range(100_000)]
        enough = host.spooled_bytes() + 500_000
        running = subprocess.Popen(host.words(broker), stderr=subprocess.DEVNULL)
        with connected(port, running) as sender:
            sending = threading.Thread(target=send_until_it_breaks, args=(sender, lines))
            sending.start()
            eventually(partial(grown, host, enough), running)
            running.send_signal(signal.SIGKILL)
            running.wait()
            sending.join()
        accepted |= set(host.spooled())
    host.once(kafka)
    found = arrived(kafka, host.tag, len(accepted))
    assert accepted <= {text for text, _ in found}
    assert len(set(found)) == len({text for text, _ in found}), "one id for each, however often it was sent"
    for life in range(2):
        numbers = {int(text.rpartition("-")[2]) for text, _ in found if f" {life}-" in text}
        assert numbers == set(range(len(numbers))), "no hole in what one connection sent"


def grown(host: Host, size: int) -> bool:
    """Whether the spool has so many bytes."""
    return host.spooled_bytes() >= size


def test_a_pipe_is_read_to_its_end(tmp_path: Path, kafka: str) -> None:
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    host = Host(tmp_path, {"stdin": True})
    lines = [f"{host.tag} {n}" for n in range(5000)]
    assert host.once(kafka, "\n".join(lines).encode())["events_sent"] == 5000
    assert sorted(text for text, _ in arrived(kafka, host.tag, 5000)) == sorted(lines)
