"""`logintel alerts list` shows what rules raised, how often, when and why."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from logintel.identity import named_id
from logintel.main import main
from logintel_collector.alert import Alert, Changes, Status
from logintel_collector.processor import Processed
from logintel_collector.stores import postgres, postgres_alerts
from logintel_collector.stores.sqlite import Store


def alert(number: int, status: Status) -> Alert:
    return Alert(
        id=f"a{number}",
        title=f"Failed logins: user=root{number}",
        description="Someone guesses passwords.",
        severity="HIGH",
        status=status,
        source_id=None,
        log_entry_id="e1",
        rule_id="r1",
        triggered_at=f"2026-11-22T1{number}:00:00.000000Z",
        metadata={
            "count": 5 + number,
            "first_seen": "2026-11-22T09:00:00.000000Z",
            "last_seen": "2026-11-22T10:00:00.000000Z",
            "reason": "5 events in 1m with user=\x1b[31mroot, threshold 5",
        },
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    async def fill() -> None:
        store = await Store.open(tmp_path / "logintel.sqlite")
        await store.apply(Processed(), Changes([alert(1, "OPEN"), alert(2, "RESOLVED"), alert(3, "OPEN")]), 1)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def test_lists_the_newest_first(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "list", "--data", str(data), "--limit", "2"]) == 0
    assert capsys.readouterr().out == (
        "HIGH     OPEN         Failed logins: user=root3\n"
        "    5 events in 1m with user=\\x1b[31mroot, threshold 5\n"
        "    count 8, first seen 2026-11-22T09:00:00.000000Z, last seen 2026-11-22T10:00:00.000000Z\n"
        "HIGH     RESOLVED     Failed logins: user=root2\n"
        "    5 events in 1m with user=\\x1b[31mroot, threshold 5\n"
        "    count 7, first seen 2026-11-22T09:00:00.000000Z, last seen 2026-11-22T10:00:00.000000Z\n"
    )


def test_json_is_a_whole_alert_a_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "list", "--data", str(data), "--status", "open", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["id"] for one in found] == ["a3", "a1"]
    assert found[0]["metadata"]["count"] == 8


def test_no_alert_is_no_failure(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "list", "--data", str(data), "--status", "CLOSED"]) == 0
    assert capsys.readouterr() == ("", "no alerts\n")


def test_no_data_says_how_to_make_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "list", "--data", str(tmp_path)]) == 1
    assert "make some with" in capsys.readouterr().err


@pytest.fixture
def config(tmp_path: Path, database: str) -> Path:
    """Names a database with the same alerts, under the ids that PostgreSQL takes."""

    def stored(number: int, status: Status) -> Alert:
        made = alert(number, status)
        ids = {name: named_id("test", str(getattr(made, name))) for name in ("id", "log_entry_id", "rule_id")}
        return replace(made, **ids)  # type: ignore[arg-type]  # texts for texts

    async def fill() -> None:
        connection = await asyncpg.connect(database)
        await postgres.migrate(connection)
        alerts = [stored(1, "OPEN"), stored(2, "RESOLVED"), stored(3, "OPEN")]
        await postgres_alerts.save_changes(connection, Changes(alerts=alerts))
        await connection.close()

    asyncio.run(fill())
    (tmp_path / "collector.yaml").write_text(f"stores: {{postgres: {{dsn: {database!r}}}}}\n")
    return tmp_path / "collector.yaml"


def test_alerts_of_postgres_are_shown_as_the_embedded_ones(
    data: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--limit", "2"], ["--status", "open"], ["--status", "closed"], []):
        assert main(["alerts", "list", "--data", str(data), *words]) == 0
        embedded = capsys.readouterr()
        assert main(["alerts", "list", "--config", str(config), *words]) == 0
        assert capsys.readouterr() == embedded
    assert main(["alerts", "list", "--data", str(data), "--json"]) == 0
    embedded_lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["alerts", "list", "--config", str(config), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, same in zip(lines, embedded_lines, strict=True):
        ids = {name: named_id("test", same[name]) for name in ("id", "log_entry_id", "rule_id")}
        assert line == {**same, **ids}


def test_a_database_that_is_away_or_empty_is_said_without_its_password(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(f"stores: {{postgres: {{dsn: {database!r}}}}}\n")
    assert main(["alerts", "list", "--config", str(config)]) == 1
    assert "run `logintel collector setup`" in capsys.readouterr().err
    config.write_text("stores: {postgres: {dsn: 'postgresql://me:hush@127.0.0.1:1/none'}}\n")
    assert main(["alerts", "list", "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert "check stores.postgres.dsn" in said
    assert "hush" not in said
