"""An agent as a process on a real broker, and what came there of it."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from logintel.bus.kafka_consumer import GroupConsumer
from logintel.bus.topics import INGESTION, set_up
from logintel.config.shared import KafkaBusConfig
from logintel.event import decode
from logintel.refused import Refused
from logintel_agent.control import ask

COMMAND = [sys.executable, "-m", "logintel", "agent"]


@dataclass
class AgentProcess:
    """`tag` is in every line that a test writes, so that its events are told from those of others.
    `launcher`: what the agent is started with, such as a program that takes powers from it.
    """

    directory: Path
    kafka: str
    tag: str = field(default_factory=lambda: secrets.token_hex(8))
    process: subprocess.Popen[bytes] | None = None
    launcher: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.directory / "agent.yaml"

    @property
    def data(self) -> Path:
        """The agent's own directory."""
        return self.directory / "data" / "agent"

    def configure(self, *sources: dict[str, Any], **agent: Any) -> None:
        """Write the configuration, in one step."""
        bus = {"kafka": {"bootstrap_servers": [self.kafka]}}
        fresh = self.config.with_suffix(".new")
        keys = {"installation": f"test-{self.tag}", "bus": bus, "agent": agent, "sources": list(sources)}
        fresh.write_text(json.dumps(keys))
        fresh.rename(self.config)

    def files(self, name: str, pattern: str, **keys: Any) -> dict[str, Any]:
        """A source that reads files below the test's directory."""
        return {
            "name": name,
            "type": "application",
            "paths": [str(self.directory / pattern)],
            "format": "plain",
            **keys,
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.directory / "agent.log").open("ab") as log:
            self.process = subprocess.Popen([*self.launcher, *COMMAND, "run", *self._words()], stdout=log, stderr=log)
        self.until(self.answers)

    def answers(self) -> bool:
        try:
            self.status()
        except Refused:
            return False
        return True

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command of the agent's."""
        return subprocess.run([*COMMAND, *words, *self._words()], check=False, capture_output=True, text=True)

    def once(self) -> dict[str, Any]:
        """Run until all is read; the summary."""
        done = self.run("run", "--once", "--json")
        assert done.returncode == 0, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    def status(self, *, streams: bool = False) -> dict[str, Any]:
        return ask(self.data, {"ask": "status", "streams": streams}, 60)

    def reload(self, *, plan: bool = False) -> dict[str, Any]:
        return ask(self.data, {"ask": "reload", "plan": plan}, 120)

    def source(self, name: str) -> dict[str, Any]:
        """What the status says of a source; empty without one."""
        return next((source for source in self.status()["sources"] if source["name"] == name), {})

    def until(self, condition: Callable[[], object]) -> None:
        """Wait; the agent must go on running."""
        assert self.process is not None
        deadline = time.monotonic() + 120
        while not condition():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, and see that it ends well."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log()

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        return (self.directory / "agent.log").read_text()

    def events(self, expected: int) -> list[dict[str, Any]]:
        """Every event of this test on the bus, when `expected` different ones are there and nothing more comes."""
        return asyncio.run(arrived(self.kafka, self.tag, expected))

    def _words(self) -> list[str]:
        return ["--config", str(self.config), "--data", str(self.directory / "data")]


async def arrived(kafka: str, tag: str, expected: int) -> list[dict[str, Any]]:
    """Events with `tag` in them, in the order of their partitions, and in `partition` where each was."""
    config = KafkaBusConfig(bootstrap_servers=(kafka,))
    consumer = GroupConsumer(config, INGESTION.name, f"group-{secrets.token_hex(6)}")
    await consumer.start()
    found: list[dict[str, Any]] = []
    quiet = 0
    try:
        async with asyncio.timeout(120):
            while quiet < 2:
                batches = await consumer.read(5000, 1.0)
                for batch in batches:
                    values = [record.value for record in batch.records if record.value and tag.encode() in record.value]
                    found += [{**decode(value), "partition": batch.partition} for value in values]
                enough = len({event["message"] for event in found}) >= expected
                quiet = 0 if batches or not enough else quiet + 1
    finally:
        await consumer.stop()
    return found


def once_each(events: list[dict[str, Any]]) -> list[str]:
    """The messages, each once; two of the same message must be one event that was sent twice."""
    ids: dict[str, set[str]] = {}
    for event in events:
        ids.setdefault(event["message"], set()).add(event["log_id"])
    assert {message: found for message, found in ids.items() if len(found) > 1} == {}
    return list(ids)


@pytest.fixture(name="agent")
def new_agent(tmp_path: Path, kafka: str) -> Any:
    """An agent that is not configured yet; ended with the test."""
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    made = AgentProcess(tmp_path, kafka)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
