"""What `logintel run` has kept goes on on servers: nothing is lost on the way, and rules count on where they were."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from installation import COMMAND, Installation

from logintel.bus.topics import DEAD_LETTERS

RULE = """
name: burst of errors
query: {bool: {filter: [{term: {level: ERROR}}, {prefix: {message: order}}]}}
conditions: {type: threshold, window: 10s, count: 50, group_by: metadata.source, recovery: {after: 5m}}
severity: HIGH
is_active: true
"""
LINES, BURST = 6000, range(1800, 1880)
#: In the middle of the burst: one process sees the first errors, the servers those that make it an alert.
CUT = 1830


def lines(first: int, last: int) -> str:
    """A tenth of a second apart."""
    return "".join(
        f"2026-11-22 10:{n // 600:02}:{n // 10 % 60:02}.{n % 10}00 {'ERROR' if n in BURST else 'INFO'} order {n:06}\n"
        for n in range(first, last)
    )


def write(log: Path, text: str) -> None:
    with log.open("a") as out:
        out.write(text)


@pytest.fixture
def embedded(installation: Installation) -> Path:
    """The configuration of one process, and of the servers that take over from it."""
    rules = installation.directory / "rules"
    rules.mkdir()
    (rules / "burst.yaml").write_text(RULE)
    log = installation.directory / "app.log"
    log.touch()
    sources: list[dict[str, Any]] = [{"name": installation.name, "type": "application", "paths": [str(log)]}]
    installation.configure(sources, rules_dir=str(rules))
    config = installation.directory / "one.yaml"
    config.write_text(yaml.safe_dump({"installation": installation.name, "sources": sources, "rules_dir": str(rules)}))
    return config


def imported(installation: Installation) -> list[str]:
    command = ("collector", "import", "--config", installation.collector, "--data", installation.data, "--json")
    done: list[str] = json.loads(installation.finished(*command).stdout)["done"]
    return done


def test_an_alert_that_begins_in_one_process_is_raised_on_servers(installation: Installation, embedded: Path) -> None:
    log = installation.directory / "app.log"
    write(log, lines(0, CUT))
    installation.finished("run", "--once", "--config", embedded, "--data", installation.data)
    first, again = imported(installation), imported(installation)
    assert f"documents: {CUT:,}, of them {CUT:,} new in Elasticsearch; 0 dead letters" in first
    assert "rule_states: 1 rows" in first
    assert f"documents: {CUT:,}, of them 0 new in Elasticsearch; 0 dead letters" in again
    assert installation.rows("SELECT count(*) FROM alerts")[0]["count"] == 0

    write(log, lines(CUT, LINES))
    assert installation.run_once()["processor"]["repeats"] == 0
    assert_each_line_is_there_once(installation)
    alerts = installation.rows("SELECT metadata->>'count' AS count, metadata->>'first_seen' AS first FROM alerts")
    assert alerts == [{"count": "50", "first": "2026-11-22T10:03:00.000000Z"}]


def test_killed_before_and_in_the_middle_nothing_is_lost(installation: Installation, embedded: Path) -> None:
    log = installation.directory / "app.log"
    write(log, lines(0, LINES - 100))
    with subprocess.Popen([*COMMAND, "run", "--config", embedded, "--data", installation.data]) as running:
        while not any(installation.data.glob("bus/*")):
            time.sleep(0.01)
        time.sleep(0.2)
        running.kill()
    for moment in (1.0, 1.5, 2.0):
        with subprocess.Popen(
            [*COMMAND, "collector", "import", "--config", installation.collector, "--data", installation.data],
            stdout=subprocess.DEVNULL,
        ) as importing:
            time.sleep(moment)
            importing.send_signal(signal.SIGKILL)
    imported(installation)
    write(log, lines(LINES - 100, LINES))
    installation.run_once()
    assert_each_line_is_there_once(installation)
    assert not [
        letter for letter in installation.read(DEAD_LETTERS) if installation.name.encode() in (letter.value or b"")
    ]


def test_data_that_is_in_use_and_data_that_is_none_are_refused(installation: Installation, embedded: Path) -> None:
    command = [*COMMAND, "collector", "import", "--config", str(installation.collector), "--data"]
    none = subprocess.run([*command, str(installation.directory)], check=False, capture_output=True, text=True)
    assert none.returncode == 1
    assert "there is no data of `logintel run`: name its data directory with --data" in none.stderr
    with subprocess.Popen([*COMMAND, "run", "--config", embedded, "--data", installation.data]) as running:
        while not (installation.data / "logintel.sqlite").exists():
            time.sleep(0.01)
        used = subprocess.run([*command, str(installation.data)], check=False, capture_output=True, text=True)
        running.terminate()
    assert used.returncode == 1
    assert f"is in use (process {running.pid}): stop `logintel run` first, for good" in used.stderr


def assert_each_line_is_there_once(installation: Installation) -> None:
    query = f"metadata.source:{installation.name}"
    documents = installation.search(query)
    assert sorted(document["message"] for document in documents) == [f"order {n:06}" for n in range(LINES)]
    rows = installation.rows("SELECT id::text FROM log_entries WHERE metadata->>'source' = $1", installation.name)
    assert sorted(row["id"] for row in rows) == sorted(document["log_id"] for document in documents)
