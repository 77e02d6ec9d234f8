"""The SQLite file has the seed's tables, and a file that is not ours to open is refused with what to do."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from logintel_collector.stores.errors import StoreDamaged, StoreLocked, StoreMissing, StoreNewer, StoreOlder
from logintel_collector.stores.migrations import migrations
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_file import open_reader, open_writer
from logintel_collector.stores.tables import EMBEDDED_TABLES, OWN_TABLES, SEED_INDEXES, SEED_TABLES

#: What SQLite needs beyond the list: the rows' numbers, and tables without counterpart elsewhere.
ONLY_HERE: dict[str, set[str]] = {"log_entries": {"document_id"}}
TABLES_ONLY_HERE = {"schema_migrations", "documents", "document_terms", "bus_offsets"}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "logintel.sqlite")) as opened:
        yield opened


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def test_migrations_make_exactly_the_listed_tables_and_columns(connection: sqlite3.Connection) -> None:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    ours = {name for name in tables if not re.match("sqlite_|document_terms_", name)}
    listed = SEED_TABLES | OWN_TABLES | EMBEDDED_TABLES
    assert ours == listed.keys() | TABLES_ONLY_HERE
    assert {name: columns(connection, name) - ONLY_HERE.get(name, set()) for name in listed} == {
        name: set(names) for name, names in listed.items()
    }


def test_migrations_make_the_seeds_indexes(connection: sqlite3.Connection) -> None:
    made: dict[str, tuple[str, ...]] = {}
    for name, table in connection.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'"):
        made[name] = (table, *(row[2] for row in connection.execute(f"PRAGMA index_info({name})")))
    assert {name: made.get(name) for name in SEED_INDEXES} == SEED_INDEXES


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("users", {"username": "a", "email": "a@example.com", "password_hash": "x"}),
        ("log_sources", {"name": "a", "type": "custom"}),
        ("alerts", {"title": "a", "severity": "LOW"}),
        ("dashboards", {"name": "a", "configuration": "{}"}),
        ("ml_models", {"name": "a", "type": "forecasting", "version": "1"}),
        ("system_config", {"key": "a", "value": "1"}),
        ("alert_rules", {"name": "a", "query": "{}", "conditions": "{}", "severity": "LOW"}),
        ("api_keys", {"name": "a", "key_hash": "x"}),
    ],
)
def test_ids_and_times_have_the_seeds_defaults(connection: sqlite3.Connection, table: str, row: dict[str, str]) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    time = "triggered_at" if table == "alerts" else "created_at"
    made = connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id, {time}", tuple(row.values())
    ).fetchone()
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", made[1])


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "logintel.sqlite"
    for _ in range(2):
        with closing(open_writer(path)) as connection:
            rows = connection.execute("SELECT version, name FROM schema_migrations ORDER BY version").fetchall()
            assert rows == [(step.version, step.name) for step in migrations("sqlite")]


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "logintel.sqlite"
    with closing(open_writer(path)) as connection:
        connection.execute("INSERT INTO schema_migrations (version, name) VALUES (9999, 'of_the_future')")
    with pytest.raises(StoreNewer, match=r"logintel\.sqlite: has tables of version 9999.*install the newer"):
        open_writer(path)
    with pytest.raises(StoreNewer, match="9999"):
        open_reader(path)


def test_a_reader_does_not_migrate(tmp_path: Path) -> None:
    path = tmp_path / "logintel.sqlite"
    sqlite3.connect(path).close()
    path.touch()
    with pytest.raises(StoreOlder, match="logintel run --data"):
        open_reader(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match="make some with `logintel run"):
        open_reader(tmp_path / "logintel.sqlite")
    assert not (tmp_path / "logintel.sqlite").exists()


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "logintel.sqlite"
    path.write_bytes(b"a text, not a database" * 500)
    with pytest.raises(StoreDamaged, match="move it aside"):
        open_writer(path)
    with pytest.raises(StoreDamaged, match="move it aside"):
        open_reader(path)
    assert path.read_bytes().startswith(b"a text")


def test_a_writer_beside_us_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "logintel.sqlite"

    async def main() -> None:
        store = await Store.open(path)
        store._connection.execute("PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreLocked, match="in use by another process"):
                await store.positions()
        assert await store.positions() == {}
        await store.close()

    asyncio.run(main())
