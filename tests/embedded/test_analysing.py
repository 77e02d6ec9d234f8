"""`logintel run` counts what it stores, and `logintel analytics` shows it: the same metrics as on servers."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from analytics_oracle import Found, assert_right, seconds

from logintel.main import main

COMMAND = [sys.executable, "-m", "logintel"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def lines(count: int, hours_ago: float = 5) -> str:
    """From long enough ago that time, which goes on during a test, closes nothing of it."""
    first = datetime.now(UTC) - timedelta(hours=hours_ago)
    return "".join(
        f"{first + timedelta(seconds=9 * n):%Y-%m-%dT%H:%M:%S.%fZ} {('INFO', 'ERROR')[n % 2]} request {n}\n"
        for n in range(count)
    )


def once(data: Path, log: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "run", "--once", "--data", data, log], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def rows(data: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(data / "logintel.sqlite")) as connection:
        return connection.execute(sql).fetchall()


def found(data: Path) -> Found:
    """The view that has the data schema's names."""
    metrics: Found = defaultdict(dict)
    sql = "SELECT metric_name, metric_type, timestamp, value, dimensions, aggregation_period FROM engineering_analytics"
    for name, kind, timestamp, value, dimensions, period in rows(data, sql):
        ((dimension, of),) = json.loads(dimensions).items() or [("", "")]
        assert kind == ("gauge" if "seconds" in name or "ratio" in name else "counter")
        metrics[period, int(seconds(timestamp)), dimension, of][name] = value
    return metrics


def assert_all_is_right(data: Path) -> None:
    documents = [json.loads(body) for (body,) in rows(data, "SELECT body FROM documents")]
    assert documents
    assert_right(found(data), documents, datetime.now(UTC))


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> Iterator[list[str]]:
    capsys.readouterr()
    assert main(["analytics", *words]) == 0
    return (line.split() for line in capsys.readouterr().out.splitlines())


def test_a_run_counts_all_it_has_stored_and_the_next_one_corrects_it(data: Path, log: Path) -> None:
    log.write_text(lines(200))
    once(data, log)
    assert_all_is_right(data)
    with log.open("a") as more:
        more.write(lines(50, hours_ago=4.9))
    once(data, log)
    assert_all_is_right(data)
    updated = "SELECT max(updated_at) FROM analytics"
    before = rows(data, updated)
    once(data, log)
    assert rows(data, updated) == before


def test_a_killed_run_is_followed_by_one_that_counts_nothing_twice(data: Path, log: Path) -> None:
    log.write_text(lines(2000))
    running = subprocess.Popen([*COMMAND, "run", "--data", data, log], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not ((data / "logintel.sqlite").is_file() and _has_points(data)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    with log.open("a") as more:
        more.write(lines(50))
    once(data, log)
    assert_all_is_right(data)


def _has_points(data: Path) -> bool:
    try:
        return bool(rows(data, "SELECT 1 FROM analytics LIMIT 1"))
    except sqlite3.OperationalError:  # the tables are being made
        return False


def test_the_command_shows_a_line_for_each_period_and_value(
    data: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = datetime.now(UTC) - timedelta(days=2)
    log.write_text("".join(f"{day:%Y-%m-%d} 10:0{n}:00 {level} x\n" for n, level in ((1, "ERROR"), (2, "INFO"))))
    once(data, log)
    where = ["--data", str(data)]
    head, one, two = shown(capsys, *where, "--last", "4d")
    assert head[:3] == ["events", "bytes", "errors"]
    assert (one[0], one[1:5]) == (f"{day:%Y-%m-%d}T10:01:00Z", ["1", "27", "1", "100.0"])
    assert (two[0], two[1:5]) == (f"{day:%Y-%m-%d}T10:02:00Z", ["1", "26", "0", "0.0"])
    head, *levels = shown(capsys, *where, "--last", "4d", "--period", "hour", "--by", "level")
    assert head[-1] == "level"
    assert [line[-1] for line in levels] == ["ERROR", "INFO"]
    assert list(shown(capsys, *where)) == []
    assert main(["analytics", *where]) == 0
    assert "look further back, as with --last 30d" in capsys.readouterr().err
    assert main(["analytics", *where, "--last", "4d", "--json"]) == 0
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"metric_name": "log_errors", "metric_type": "counter", "timestamp": one[0], "value": 1, "dimensions": {},
            "aggregation_period": "minute"} in metrics  # fmt: skip


def test_a_duration_that_is_none_and_a_directory_without_data(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["analytics", "--last", "yesterday"])
    assert exit_.value.code == 2
    assert "expected a duration such as 30s" in capsys.readouterr().err
    assert main(["analytics", "--data", str(data)]) == 1
    assert "there is no data yet" in capsys.readouterr().err
