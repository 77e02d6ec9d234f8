"""PostgreSQL has the seed's tables, made once by whoever comes first; what is wrong with it is said without the DSN."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from logintel.refused import Refused
from logintel_collector.config import PostgresConfig
from logintel_collector.stores.errors import StoreNewer
from logintel_collector.stores.migrations import migrations
from logintel_collector.stores.postgres import ERRORS, connected, explained, migrate, require_current
from logintel_collector.stores.servers import try_postgres
from logintel_collector.stores.tables import OWN_TABLES, SEED_INDEXES, SEED_TABLES, SERVER_TABLES

STEPS = [f"{step.version:04} {step.name}" for step in migrations("postgresql")]
SEED = (Path(__file__).parent / "data/seed_postgresql.sql").read_text("utf-8")
#: What the seed's statements need, of an extension that we do without.
UUID_OSSP = "CREATE FUNCTION uuid_generate_v4() RETURNS UUID LANGUAGE sql AS 'SELECT gen_random_uuid()';"
COLUMNS = """
    SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable,
        replace(column_default, 'uuid_generate_v4', 'gen_random_uuid')
    FROM information_schema.columns WHERE table_schema = 'public'
"""
INDEXES = """
    SELECT indexname, replace(indexdef, ' ONLY ', ' ') FROM pg_indexes
    WHERE schemaname = 'public' AND indexname LIKE 'idx\\_%'
"""
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, confrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'f' AND conrelid::regclass::text NOT LIKE 'log\\_entries\\_%'
"""


def of(dsn: str) -> PostgresConfig:
    return PostgresConfig.model_validate({"dsn": dsn})


async def catalogue(connection: asyncpg.Connection, query: str) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await connection.fetch(query)}


def test_the_tables_are_the_seeds_and_the_listed_ones(database: str) -> None:
    """The seed's own statements, run beside ours, are what ours are compared with."""

    async def scenario() -> None:
        async with connected(of(database), "test") as connection:
            await connection.execute(UUID_OSSP + SEED)
            seed = [await catalogue(connection, query) for query in (COLUMNS, INDEXES, FOREIGN_KEYS)]
            await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            await migrate(connection)
            columns, indexes, foreign_keys = [
                await catalogue(connection, query) for query in (COLUMNS, INDEXES, FOREIGN_KEYS)
            ]
        assert {row for row in columns if row[0] in SEED_TABLES} == seed[0]
        assert indexes >= seed[1]
        assert {name for name, definition in indexes if "USING gin" in definition} == {
            name for name, definition in seed[1] if "USING gin" in definition
        }
        assert len(seed[1]) == len(SEED_INDEXES) + 5
        assert seed[2] - foreign_keys == {
            ("alerts", "log_entries", "FOREIGN KEY (log_entry_id) REFERENCES log_entries(id)")
        }
        found: dict[str, set[str]] = {}
        for table, column, *_ in columns:
            found.setdefault(table, set()).add(column)
        listed = SEED_TABLES | OWN_TABLES | SERVER_TABLES
        assert found.keys() == listed.keys() | {"schema_migrations", "log_entries_default"}
        assert {table: found[table] for table in listed} == {table: set(names) for table, names in listed.items()}

    asyncio.run(scenario())


def test_of_many_that_migrate_at_once_one_does(database: str) -> None:
    async def one() -> list[str]:
        async with connected(of(database), "test") as connection:
            done = await migrate(connection)
            await require_current(connection)
            return done

    async def scenario() -> None:
        assert sorted(await asyncio.gather(*(one() for _ in range(4)))) == [[], [], [], STEPS]
        assert await one() == []

    asyncio.run(scenario())


def test_a_migration_that_fails_leaves_nothing(database: str) -> None:
    async def scenario() -> None:
        async with connected(of(database), "test") as connection:
            await connection.execute("CREATE TABLE outbox (mine INTEGER)")
            with pytest.raises(asyncpg.DuplicateTableError):
                await migrate(connection)
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            assert [row[0] for row in tables] == ["outbox"]
            await connection.execute("DROP TABLE outbox")
            assert await migrate(connection) == STEPS

    asyncio.run(scenario())


def test_tables_of_another_version_are_refused(database: str) -> None:
    async def scenario() -> None:
        async with connected(of(database), "test") as connection:
            with pytest.raises(Refused, match="run `logintel collector setup`"):
                await require_current(connection)
            await migrate(connection)
            await connection.execute("INSERT INTO schema_migrations (version, name) VALUES (9999, 'of_the_future')")
            for refuse in (migrate, require_current):
                with pytest.raises(StoreNewer, match=r"tables of version 9999.*install the newer"):
                    await refuse(connection)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"path": "/nowhere"}, '3D000 database "nowhere" does not exist: check stores.postgres.dsn'),
        ({"netloc": "u:hidden@127.0.0.1:1"}, "check stores.postgres.dsn, and that it is running"),
        ({"netloc": "u:hid/den@127.0.0.1:1"}, "stores.postgres.dsn cannot be read: expected postgresql://"),
        ({"scheme": "hidden"}, "stores.postgres.dsn cannot be read: expected postgresql://"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_the_dsn(postgres: str, change: dict[str, str], told: str) -> None:
    dsn = urlsplit(postgres)._replace(**change).geturl()
    with pytest.raises(Refused) as caught:
        asyncio.run(try_postgres(of(dsn)))
    assert told in str(caught.value)
    password = urlsplit(postgres).password
    assert password
    assert "hid" not in str(caught.value)
    assert password not in str(caught.value)


def test_no_statement_takes_for_ever(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logintel_collector.stores.postgres.TIMEOUT", 0.5)

    async def scenario() -> None:
        async with connected(of(database), "test") as holder, connected(of(database), "test") as waiting:
            await migrate(holder)
            async with holder.transaction():
                await holder.execute("LOCK TABLE users")
                with pytest.raises(TimeoutError) as caught:
                    await waiting.fetch("SELECT * FROM users")
        assert isinstance(caught.value, (TimeoutError, *ERRORS))
        assert explained(caught.value).startswith("no answer in time: check stores.postgres.dsn")

    asyncio.run(scenario())
