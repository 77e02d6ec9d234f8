"""`logintel agent status`: what a running agent does, told by itself, and a verdict that comes from progress."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import subprocess
from collections.abc import Awaitable, Sequence
from pathlib import Path

import pytest
from agent_process import COMMAND, AgentProcess

from logintel.bus import Record
from logintel.hooks import load_plugins
from logintel.refused import Refused
from logintel.source import SourceContext
from logintel_agent import status
from logintel_agent.agent import Agent
from logintel_agent.control import ask
from logintel_agent.dead_letters import DeadLetters, DeadLettersSection


def test_it_says_what_was_read_sent_and_waits(agent: AgentProcess) -> None:
    (agent.directory / "app.log").write_text(f"2026-11-22T10:00:00Z {agent.tag}\n" * 3)
    agent.configure(agent.files("shop", "app.log"), agent.files("none", "none*.log"))
    agent.start()
    agent.until(lambda: agent.source("shop")["events_sent"] == 3)
    told = agent.status(streams=True)
    assert agent.process is not None
    assert told["pid"] == agent.process.pid
    assert told["health"] == {"verdict": "ok", "reasons": []}
    assert told["config"]["files"] == [str(agent.config)]
    shop, none = told["sources"]
    assert (shop["events_read"], shop["waiting_events"], shop["state"]) == (3, 0, "running")
    assert shop["last_event"] is not None
    assert none["events_read"] == 0
    (stream,) = told["streams"]
    assert (stream["source"], stream["events"]) == ("shop", 3)
    assert stream["cursor"]["path"] == str(agent.directory / "app.log")
    printed = agent.run("status", "--streams")
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith("ok\n")
    assert json.loads(agent.run("status", "--json").stdout)["version"] == told["version"]
    agent.stop()
    assert not (agent.data / "control.sock").exists()


def test_only_the_owner_may_ask(agent: AgentProcess) -> None:
    agent.configure()
    agent.start()
    assert stat.S_IMODE((agent.data / "control.sock").stat().st_mode) == 0o600
    with pytest.raises(Refused, match="unknown request 'steal'"):
        ask(agent.data, {"ask": "steal"}, 60)
    for words in (b"x" * 100_000 + b"\n", b"[1]\n", b"\xff\n"):  # too long, no object, no text: the next is answered
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(agent.data / "control.sock"))
            client.sendall(words)
            client.recv(1000)
    assert agent.status()["sources"] == []


def test_without_an_agent_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "status", "--data", str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"no agent runs on {tmp_path}/agent: start it with `logintel agent run" in done.stderr


def test_a_killed_agent_leaves_nothing_in_the_way(agent: AgentProcess) -> None:
    agent.configure()
    agent.start()
    agent.kill()
    with pytest.raises(Refused, match="no agent runs"):
        agent.status()
    agent.start()
    agent.until(lambda: agent.run("status").returncode == 0)


def test_a_bus_that_is_away_is_no_good_health(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path, "127.0.0.1:9")
    (tmp_path / "app.log").write_text("one\n")
    agent.configure(agent.files("shop", "app.log"))
    agent.start()
    agent.until(lambda: agent.status()["bus"]["trouble"])
    assert agent.status()["health"]["verdict"] == "degraded"
    assert agent.source("shop")["waits_for"] is not None
    printed = agent.run("status")
    assert printed.returncode == 1
    assert "the bus takes nothing" in printed.stdout
    agent.stop()


class Silent:
    """A bus that takes and never acknowledges."""

    async def place(self, stream: bytes) -> int | None:
        return None

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:
        return asyncio.get_running_loop().create_future()


def test_a_silent_stall_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complaint 18: nothing is acknowledged, nothing fails, and the health goes on saying that all is well."""
    monkeypatch.setattr(status, "STALLED_AFTER", 0.2)
    (tmp_path / "app.log").write_text("one\ntwo\n")
    plugins = load_plugins()
    keys = {"name": "shop", "type": "application", "paths": [str(tmp_path / "app.log")]}
    config = plugins.sources["application"].Config.model_validate(keys)

    async def run() -> status.Status:
        letters = DeadLetters(tmp_path / "letters", DeadLettersSection(), lambda: "")
        agent = Agent(
            tmp_path / "agent", "test", [config], plugins, Silent(), SourceContext(formats=plugins.formats), letters
        )
        running = asyncio.create_task(agent.run(asyncio.Event()))
        async with asyncio.timeout(60):
            while (health := status.health(await agent.status(streams=False)))["verdict"] != "stalled":
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait({running})
        return health

    (reason,) = asyncio.run(run())["reasons"]
    assert reason.startswith("source shop: nothing was acknowledged for")
