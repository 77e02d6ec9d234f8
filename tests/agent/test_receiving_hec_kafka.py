"""From HTTP Event Collector clients through the spool to a real broker: what was answered arrives, whenever the agent is
killed."""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hec_collector import EVENT, TOKEN

from logintel.bus.kafka_consumer import GroupConsumer
from logintel.bus.topics import INGESTION, set_up
from logintel.config.shared import KafkaBusConfig
from logintel.event import decode
from logintel_devstack.ports import free_port

COMMAND = [sys.executable, "-m", "logintel", "agent", "run"]
NOBODY = "127.0.0.1:9"
#: Events of a request, connections, and requests that are enough of one life.
EACH, CLIENTS, ENOUGH = 10, 4, 150


@dataclass
class Host:
    """An agent's configuration and data; `tag` is in every event of this test alone."""

    directory: Path
    port: int = field(default_factory=lambda: free_port(()))
    tag: str = field(default_factory=lambda: secrets.token_hex(8))

    def run(self, kafka: str, *words: str) -> subprocess.Popen[bytes]:
        tokens = [{"token": TOKEN, "name": "shop", "ack": True}]
        source = {"name": "hec", "type": "splunk", "listen": f"127.0.0.1:{self.port}", "tokens": tokens}
        config = {"bus": {"kafka": {"bootstrap_servers": [kafka]}}, "sources": [source]}
        (self.directory / "agent.yaml").write_text(json.dumps(config))
        places = ["--config", str(self.directory / "agent.yaml"), "--data", str(self.directory / "data")]
        return subprocess.Popen([*COMMAND, *places, *words], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Client(threading.Thread):
    """Sends request after request until the connection breaks; `answered` are the texts of those that were answered
    200 with an id of which the collector then said that it is safe."""

    def __init__(self, host: Host, name: str) -> None:
        super().__init__()
        self.host, self.word = host, name
        self.answered: list[str] = []
        self.sent: list[str] = []
        self.requests = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port, timeout=60)
        try:
            while True:
                self.send(connection)
        except (OSError, http.client.HTTPException):
            connection.close()

    def send(self, connection: http.client.HTTPConnection) -> None:
        texts = [f"{self.host.tag} {self.word}-{self.requests}-{n}" for n in range(EACH)]
        self.sent += texts
        answer = self.ask(connection, EVENT, "".join(json.dumps({"event": text}) for text in texts))
        asked = self.ask(connection, "/services/collector/ack", json.dumps({"acks": [answer["ackId"]]}))
        assert asked == {"acks": {str(answer["ackId"]): True}}
        self.answered += texts
        self.requests += 1

    def ask(self, connection: http.client.HTTPConnection, path: str, body: str) -> Any:
        headers = {"Authorization": f"Splunk {TOKEN}", "X-Splunk-Request-Channel": self.word}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise ConnectionError(content)
        return json.loads(content)


def listens(port: int, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert running.poll() is None
        assert time.monotonic() < deadline
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/services/collector/health")
            assert connection.getresponse().status == 200
        except ConnectionError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()


async def arrived(kafka: str, tag: str, enough: set[str]) -> list[tuple[str, str]]:
    """(text, log_id) of every event of this test, when all that are `enough` are there and nothing more comes."""
    consumer = GroupConsumer(KafkaBusConfig(bootstrap_servers=(kafka,)), INGESTION.name, f"g-{secrets.token_hex(6)}")
    await consumer.start()
    found: list[tuple[str, str]] = []
    quiet = 0
    try:
        async with asyncio.timeout(120):
            while quiet < 2:
                batches = await consumer.read(5000, 1.0)
                values = [record.value for batch in batches for record in batch.records if record.value]
                events = [decode(value) for value in values if tag.encode() in value]
                found += [(str(event["raw_log"]), str(event["log_id"])) for event in events]
                quiet = 0 if batches or not enough <= {text for text, _ in found} else quiet + 1
    finally:
        await consumer.stop()
    return found


def test_a_kill_in_mid_flow_loses_nothing_that_was_answered(tmp_path: Path, kafka: str) -> None:
    """Twice killed, once without a broker and once with it. What was answered has one event, under one id."""
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    host = Host(tmp_path)
    clients: list[Client] = []
    for life, broker in enumerate((NOBODY, kafka)):
        running = host.run(broker)
        listens(host.port, running)
        sending = [Client(host, f"{life}{n}") for n in range(CLIENTS)]
        for client in sending:
            client.start()
        while sum(client.requests for client in sending) < ENOUGH:
            assert running.poll() is None
            assert any(client.is_alive() for client in sending)
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.wait()
        for client in sending:
            client.join()
        clients += sending
    assert host.run(kafka, "--once").wait(300) == 0
    answered = {text for client in clients for text in client.answered}
    assert len(answered) >= 2 * ENOUGH * EACH
    found = asyncio.run(arrived(kafka, host.tag, answered))
    ids = Counter(text for text, _ in set(found))
    assert answered <= ids.keys(), "lost"
    assert set(ids.values()) == {1}, "one id for each, however often it was sent to the bus"
    assert ids.keys() <= {text for client in clients for text in client.sent}
