"""Reload of a running agent: planned, applied without a loss, or refused with the old configuration in effect."""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from agent_process import AgentProcess, once_each

from logintel_devstack.ports import free_port


class Writer(threading.Thread):
    """Appends numbered lines until it is told to stop; rotates now and then."""

    def __init__(self, path: Path, tag: str) -> None:
        super().__init__()
        self.path, self.tag = path, tag
        self.written = 0
        self.ended = threading.Event()

    def run(self) -> None:
        dice = random.Random(str(self.path))
        out = self.path.open("a", buffering=1)
        while not self.ended.is_set():
            out.write("".join(f"{self.tag} {self.path.name} {self.written + n}\n" for n in range(50)))
            self.written += 50
            time.sleep(0.02)
            if dice.random() < 0.02:
                out.close()
                self.path.rename(self.path.with_name(f"{self.path.name}.{self.written}"))
                out = self.path.open("a", buffering=1)
        out.close()

    @property
    def lines(self) -> set[str]:
        return {f"{self.tag} {self.path.name} {n}" for n in range(self.written)}


@contextmanager
def writing(*writers: Writer) -> Iterator[None]:
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        for writer in writers:
            writer.ended.set()
            writer.join()


def test_the_plan_says_what_would_happen_and_does_nothing(agent: AgentProcess) -> None:
    """Section 4, item 14: which streams restart, and what would be read again, before it is done."""
    for name in ("a.log", "b.log", "c.log"):
        (agent.directory / name).write_text(f"{agent.tag} {name}\n")
    a, b, c = (agent.files(name, f"{name}.log") for name in "abc")
    agent.configure(a, b, c)
    agent.start()
    agent.until(lambda: all(agent.source(name)["events_sent"] for name in "abc"))
    agent.configure(a, {**b, "service": "billing", "tags": ["eu"]}, {**c, "name": "d"})
    planned = agent.reload(plan=True)
    assert planned["outcome"] == "planned"
    plan = planned["plan"]
    assert (plan["added"], plan["removed"], plan["kept"]) == (["d"], ["c"], ["a"])
    assert plan["changed"] == {"b": ["service", "tags"]}
    assert any("d reads what c has read" in risk and "1 streams are read again" in risk for risk in plan["risks"])
    assert [source["name"] for source in agent.status()["sources"]] == ["a", "b", "c"]
    printed = agent.run("reload", "--plan")
    assert printed.returncode == 0, printed.stderr
    assert "changed  b: service, tags\n" in printed.stdout
    assert printed.stdout.endswith("nothing was done\n")


def test_what_is_not_changed_is_not_touched(agent: AgentProcess) -> None:
    for name in ("kept.log", "other.log"):
        (agent.directory / name).write_text(f"{agent.tag} {name}\n")
    kept, other = agent.files("kept", "kept.log"), agent.files("other", "other.log")
    agent.configure(kept, other)
    agent.start()
    agent.until(lambda: agent.source("other")["events_sent"] and agent.source("kept")["events_sent"])
    before = agent.status(streams=True)["streams"]
    agent.configure(kept, {**other, "tags": ["new"]}, agent.files("more", "more.log"))
    assert agent.process is not None
    agent.process.send_signal(signal.SIGHUP)
    agent.until(lambda: (agent.status()["last_reload"] or {}).get("outcome") == "applied")
    for name in ("kept.log", "other.log", "more.log"):
        with (agent.directory / name).open("a") as out:
            out.write(f"{agent.tag} {name} later\n")
    agent.until(lambda: all(agent.source(name)["events_sent"] for name in ("other", "more")))
    assert agent.source("kept")["events_read"] == 2  # counted on: the same run of it
    assert agent.source("other")["events_read"] == 1  # begun anew, from its cursor
    streams = {stream["stream"] for stream in agent.status(streams=True)["streams"]}
    assert {stream["stream"] for stream in before} < streams
    events = {event["message"]: event["tags"] for event in agent.events(5)}
    assert events[f"{agent.tag} other.log"] == []
    assert events[f"{agent.tag} other.log later"] == ["new"]


def test_a_wrong_configuration_changes_nothing(agent: AgentProcess) -> None:
    """Complaint 19: a reload of a broken file ends the agent."""
    (agent.directory / "app.log").write_text(f"{agent.tag} one\n")
    source = agent.files("shop", "app.log")
    agent.configure(source)
    agent.start()
    agent.configure({**source, "pathz": ["x"]})
    printed = agent.run("reload")
    assert printed.returncode == 2
    checked = agent.status()["last_reload"]["problems"]
    assert [problem["key"] for problem in checked] == ["sources[0].pathz"]
    assert checked[0]["message"] in printed.stderr
    assert agent.status()["health"]["verdict"] == "degraded"
    agent.until(lambda: agent.source("shop")["events_sent"] == 1)
    agent.configure(source)
    assert agent.reload()["outcome"] == "unchanged"
    assert agent.status()["health"]["verdict"] == "ok"


def test_what_cannot_start_is_rolled_back(agent: AgentProcess) -> None:
    """Complaint 19: a reload that fails half-way leaves neither the old nor the new configuration in effect."""
    taken, free = socket.socket(), free_port(())
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    old = {"name": "net", "type": "application", "listen": [f"tcp://127.0.0.1:{free}"]}
    agent.configure(old)
    agent.start()
    agent.until(lambda: connects(free))
    new = free_port(())
    agent.configure(
        {"name": "net", "type": "application", "listen": [f"tcp://127.0.0.1:{new}"]},
        {"name": "two", "type": "application", "listen": [f"tcp://127.0.0.1:{port}"]},
    )
    result = agent.reload()
    taken.close()
    assert result["outcome"] == "refused"
    assert f"cannot listen on tcp://127.0.0.1:{port}" in result["reason"]
    assert connects(free)
    assert not connects(new)
    assert [source["name"] for source in agent.status()["sources"]] == ["net"]
    assert "the last reload was refused" in agent.run("status").stdout
    assert agent.reload()["outcome"] == "applied"
    agent.until(lambda: connects(new) and connects(port))
    assert not connects(free)


def connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_keys_that_need_a_restart_are_refused(agent: AgentProcess) -> None:
    agent.configure()
    agent.start()
    agent.configure(workers=2)
    result = agent.reload()
    assert result["outcome"] == "refused"
    assert result["reason"] == "agent.workers: only a restart changes this: restart the agent"


def test_no_connection_is_refused_while_it_reloads(agent: AgentProcess) -> None:
    """Complaint 19: same-port sockets are closed and opened again, and senders are refused in between."""
    port = free_port(())
    source = {"name": "net", "type": "application", "format": "plain", "listen": [f"tcp://127.0.0.1:{port}"]}
    agent.configure(source)
    agent.start()
    agent.until(lambda: connects(port))
    ended = threading.Event()
    outcomes: list[OSError | str] = []

    def send() -> None:
        while not ended.is_set():
            line = f"{agent.tag} line {len(outcomes)}"
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                    client.sendall(line.encode() + b"\n")
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1)  # the end: the agent has taken it
                outcomes.append(line)
            except OSError as error:
                outcomes.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for number in range(6):
            agent.configure({**source, "tags": [f"reload-{number}"]})
            assert agent.reload()["outcome"] == "applied"
            agent.until(lambda: len(outcomes) >= 5 * (number + 1))  # noqa: B023 - called at once
    finally:
        ended.set()
        sender.join()
    refused = [outcome for outcome in outcomes if isinstance(outcome, OSError)]
    assert refused == []
    assert {event["message"] for event in agent.events(len(outcomes))} == set(outcomes)


def test_a_removed_source_delivers_what_it_had_received(agent: AgentProcess) -> None:
    port = free_port(())
    source = {"name": "net", "type": "application", "format": "plain", "listen": [f"tcp://127.0.0.1:{port}"]}
    agent.configure(source)
    agent.start()
    agent.until(lambda: connects(port))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall("".join(f"{agent.tag} line {n}\n" for n in range(2000)).encode())
        client.shutdown(socket.SHUT_WR)
        client.recv(1)
    agent.configure()
    assert agent.reload()["outcome"] == "applied"
    assert agent.status()["sources"] == []
    assert not connects(port)
    assert len(once_each(agent.events(2000))) == 2000


@pytest.mark.parametrize("seed", [1])
def test_reloaded_at_any_moment_nothing_is_lost(agent: AgentProcess, seed: int) -> None:
    """Complaint 19: a reload under load hangs, crashes or loses."""
    dice = random.Random(seed)
    writers = [Writer(agent.directory / f"{name}.log", agent.tag) for name in ("a", "b", "c")]
    sources: list[dict[str, Any]] = [agent.files(w.path.stem, f"{w.path.name}*") for w in writers]
    agent.configure(*sources)
    agent.start()
    outcomes = []
    with writing(*writers):
        for number in range(8):
            time.sleep(dice.uniform(0, 0.3))
            chosen = [
                {**source, "tags": [str(number)]} if dice.random() < 0.5 else source
                for source in sources
                if dice.random() < 0.8
            ]
            agent.configure(*chosen)
            outcomes.append(agent.reload()["outcome"])
        agent.configure(*sources)
        outcomes.append(agent.reload()["outcome"])
    assert set(outcomes) <= {"applied", "unchanged"}
    assert "applied" in outcomes
    expected = set().union(*(writer.lines for writer in writers))
    events = agent.events(len(expected))
    agent.stop()
    assert set(once_each(events)) == expected
    assert json.loads(agent.run("run", "--once", "--json").stdout)["events_sent"] == 0
