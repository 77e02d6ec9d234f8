"""Dead letters in the file of `logintel run`: shown, sent once more and dropped, and the ledger beside them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logintel.bus import Record, Stored
from logintel.locking import DirectoryLock
from logintel.main import main
from logintel_collector.alert import Changes
from logintel_collector.processor import Processed, Processor
from logintel_collector.stores.sqlite import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Command = Callable[..., tuple[int, str, str]]
Records = Callable[..., list[Stored]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def command(data: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command over the data directory: exit code, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*words, "--data", str(data)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def letters(data: Path, records: Records) -> list[str]:
    """The ids of two that a former version could not process, and of one that nobody can."""
    processor = Processor(lambda: NOW, config_version="c0ffee")
    events = [record for _, record in records(2)]
    made = [processor.dead_letter(json.loads(event.value)["log_id"], "refused", "a bug", event) for event in events]
    made.append(processor.dead_letter("none", "undecodable", "not JSON", Record(b"{}", b"s" * 16, b"z" * 12)))

    async def keep() -> None:
        store = await Store.open(data / "logintel.sqlite")
        await store.apply(Processed(dead_letters=made), Changes(), 3)
        await store.close()

    asyncio.run(keep())
    return [letter.log_id for letter in made]


def test_what_can_be_processed_now_goes_on_and_the_rest_stays(command: Command, letters: list[str]) -> None:
    code, out, _ = command("deadletters", "list")
    assert (code, out.splitlines()[0]) == (0, "3 dead letters: 2 processor refused, 1 processor undecodable")
    code, out, err = command("deadletters", "replay", "--all")
    assert (code, out) == (1, "2 sent once more, 1 kept\n")
    assert f"{letters[2]}: undecodable: it is refused again" in err
    assert (
        sorted(json.loads(line)["log_id"] for line in command("search", "*", "--json")[1].splitlines()) == letters[:2]
    )
    assert command("deadletters", "list")[1].splitlines()[0] == "1 dead letter: 1 processor undecodable"


def test_what_is_dropped_leaves_its_id_and_no_content(command: Command, letters: list[str], data: Path) -> None:
    assert command("deadletters", "drop", letters[0])[:2] == (0, "1 dropped\n")
    assert command("deadletters", "list")[1].startswith("2 dead letters")
    with closing(sqlite3.connect(data / "logintel.sqlite")) as connection:
        rows = dict(connection.execute("SELECT log_id, original FROM dead_letters"))
    assert rows[letters[0]] == b""
    assert rows[letters[1]]


@pytest.mark.usefixtures("letters")
def test_while_a_run_goes_on_letters_are_only_shown(command: Command, data: Path) -> None:
    lock = DirectoryLock(data)
    try:
        assert command("deadletters", "list")[1].startswith("3 dead letters")
        code, _, err = command("deadletters", "replay", "--all")
        assert code == 1
        assert "stop `logintel run` first" in err
    finally:
        lock.release()
    assert command("deadletters", "list")[1].startswith("3 dead letters")


def test_an_event_that_is_gone_from_the_file_is_named(command: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("".join(f"2026-11-22 10:00:00 INFO order {n}\n" for n in range(50)))
    assert main(["run", "--once", str(tmp_path / "app.log"), "--data", str(data)]) == 0
    code, out, _ = command("ledger", "--json")
    assert code == 0
    stored = json.loads(out)["stored"]
    assert (stored["came"], stored["done"], stored["missing"]) == (50, 50, [])
    with closing(sqlite3.connect(data / "logintel.sqlite")) as connection, connection:
        connection.execute("DELETE FROM log_entries WHERE message LIKE '%order 17'")
    code, out, err = command("ledger", "--json")
    assert code == 1
    (missing,) = json.loads(out)["stored"]["missing"]
    assert (missing["source"], missing["events"]) == ("files", 1)
    assert "store: 1 events of stream app.log" in err
    # What retention drops came first, and is no loss.
    with closing(sqlite3.connect(data / "logintel.sqlite")) as connection, connection:
        connection.execute("DELETE FROM log_entries WHERE document_id < 40")
    assert command("ledger")[0] == 0
