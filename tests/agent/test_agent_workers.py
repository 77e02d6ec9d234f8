"""Several workers share the streams: each file is read by one of them, and a kill of any process costs nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from agent_process import AgentProcess, once_each

LINES = 3000


def write(agent: AgentProcess, names: list[str], lines: int, first: int = 0) -> set[str]:
    """Append numbered lines to files; the lines."""
    expected = set()
    for name in names:
        texts = [f"{agent.tag} {name} {n}" for n in range(first, first + lines)]
        with (agent.directory / name).open("a") as out:
            out.write("".join(f"{text}\n" for text in texts))
        expected |= set(texts)
    return expected


def streams_of(agent: AgentProcess, seat: int) -> set[str]:
    """Paths of the files whose streams a seat has."""
    checkpoint = agent.data / f"worker-{seat}" / "checkpoint"
    found: dict[str, Any] = {}
    for line in checkpoint.read_text().splitlines() if checkpoint.exists() else ():
        entry = json.loads(line.split(" ", 1)[1])
        if "stream" in entry:
            found[entry["stream"]] = entry["mark"]
    return {Path(mark["cursor"]["path"]).name for mark in found.values() if mark and mark["cursor"]}


def pids(agent: AgentProcess) -> list[int]:
    return [worker["pid"] for worker in agent.status()["workers"] if worker["pid"]]


def test_two_workers_share_the_files_and_one_goes_on_with_them(agent: AgentProcess) -> None:
    names = [f"{number}.log" for number in range(24)]
    expected = write(agent, names, 20)
    agent.configure(agent.files("shop", "*.log*"), workers=2)
    assert agent.once()["events_sent"] == len(expected)
    first, second = streams_of(agent, 0), streams_of(agent, 1)
    assert first
    assert second
    assert not first & second
    assert first | second == set(names)
    for name in names[::3]:
        (agent.directory / name).rename(agent.directory / f"{name}.1")
    expected |= write(agent, [*names, "new.log"], 10, 20)
    agent.configure(agent.files("shop", "*.log*"), workers=1)
    assert agent.once()["events_sent"] == 10 * 25
    assert streams_of(agent, 1) == second  # served, and nothing new
    events = agent.events(len(expected))
    assert len(events) == len(expected)
    assert set(once_each(events)) == expected


@pytest.mark.parametrize("seed", [1])
def test_killed_at_any_moment_nothing_is_lost(agent: AgentProcess, seed: int) -> None:
    """Workers and the supervisor are killed while files grow, are renamed, copied and truncated, and compressed."""
    dice = random.Random(seed)
    names = [f"{letter}.log" for letter in "abcdef"]
    sources = agent.files("shop", "[a-f].log*"), agent.files("other", "x.log")
    agent.configure(*sources, workers=2)
    expected = write(agent, [*names, "x.log"], LINES)
    agent.start()
    for step in range(4):
        agent.until(lambda: len(pids(agent)) == 2)
        victim = dice.choice([*pids(agent), agent.process.pid]) if agent.process else 0
        expected |= write(agent, [*names, "x.log"], LINES, LINES * (step + 1))
        time.sleep(dice.uniform(0, 0.3))
        if agent.process is not None and victim == agent.process.pid:
            agent.kill()
            agent.start()
        else:
            os.kill(victim, signal.SIGKILL)
        turned = agent.directory / names[step]
        turned.rename(turned.with_name(f"{turned.name}.1"))
    orphans = pids(agent)
    agent.kill()
    all_end(orphans)
    agent.start()
    agent.until(lambda: len(pids(agent)) == 2)
    os.kill(pids(agent)[0], signal.SIGKILL)
    agent.until(lambda: any(worker["restarts"] and worker["pid"] for worker in agent.status()["workers"]))
    events = agent.events(len(expected))
    agent.stop()
    assert set(once_each(events)) == expected


def all_end(processes: list[int]) -> None:
    """Wait until none of them runs any more."""
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_received_lives_in_one_worker_and_a_refused_reload_changes_none(agent: AgentProcess) -> None:
    free, taken = socket.socket(), socket.socket()
    for each in (free, taken):
        each.bind(("127.0.0.1", 0))
    taken.listen()
    port, other = free.getsockname()[1], taken.getsockname()[1]
    free.close()
    net = {"name": "net", "type": "application", "format": "plain", "listen": [f"tcp://127.0.0.1:{port}"]}
    shop = agent.files("shop", "*.log")
    agent.configure(net, shop, workers=2)
    agent.start()
    agent.until(lambda: sent(port, f"{agent.tag} net 0"))
    agent.configure({**net, "listen": [*net["listen"], f"tcp://127.0.0.1:{other}"]}, {**shop, "tags": ["x"]}, workers=2)
    refused = agent.reload()
    taken.close()
    assert refused["outcome"] == "refused"
    assert f"cannot listen on tcp://127.0.0.1:{other}" in refused["reason"]
    expected = write(agent, [f"{number}.log" for number in range(8)], 1)
    assert {tuple(event["tags"]) for event in agent.events(9)} == {()}
    assert agent.reload()["outcome"] == "applied"
    assert sent(port, f"{agent.tag} net 1")
    assert sent(other, f"{agent.tag} net 2")
    assert len(list(agent.data.glob("worker-*/spool/net"))) == 1
    events = agent.events(11)
    agent.stop()
    assert set(once_each(events)) == expected | {f"{agent.tag} net {n}" for n in range(3)}


def sent(port: int, text: str) -> bool:
    """Whether somebody took it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(f"{text}\n".encode())
            client.shutdown(socket.SHUT_WR)
            return client.recv(1) == b""
    except OSError:
        return False
