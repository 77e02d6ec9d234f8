"""packaging/postgresql: roles with what they need and no more, in which the collector does all of its work."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import orjson
import pytest

from logintel_collector.config import PostgresConfig
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_archive import archive
from logintel_collector.stores.postgres_detached import detach_old, detached
from logintel_collector.stores.postgres_documents import row_of
from logintel_collector.stores.postgres_entries import store
from logintel_collector.stores.postgres_partitions import make_partitions
from logintel_devstack.postgres import program

SCRIPTS: Final = Path(__file__).parents[2] / "packaging" / "postgresql"
NOW: Final = datetime.now(UTC).isoformat()
ROLES: Final = ("collector", "reader", "backup")


def document(number: int) -> bytes:
    return orjson.dumps(
        {
            "log_id": str(uuid.UUID(int=number)),
            "source_id": str(uuid.UUID(int=0)),
            "timestamp": NOW,
            "level": "INFO",
            "message": f"order {number}",
            "category": None,
            "tags": [],
            "metadata": {"source": "shop", "source_type": "application"},
            "size_bytes": 6,
            "processing_status": "processed",
            "created_at": NOW,
        }
    )


def psql(dsn: str, *words: str | Path) -> str:
    done = subprocess.run(
        [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", *words, dsn], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def names(database: str) -> Iterator[dict[str, str]]:
    """The roles of one test: what each is for, and its name; a cluster has them once, for all databases."""
    suffix = secrets.token_hex(4)
    made = {role: f"{role}_{suffix}" for role in ROLES}
    words = [word for role, name in made.items() for word in ("-v", f"{role}={name}")]
    for _ in range(2):
        psql(database, *words, "-f", SCRIPTS / "roles.sql")
    for name in made.values():
        psql(database, "-c", f"ALTER ROLE {name} LOGIN PASSWORD 'not-a-secret'")
    yield made
    owned = f"DROP OWNED BY {', '.join(made.values())}; DROP ROLE {', '.join(made.values())}"
    psql(database, "-c", owned)


def as_role(database: str, name: str) -> str:
    server = urlsplit(database)
    return server._replace(netloc=f"{name}:not-a-secret@{server.hostname}:{server.port}").geturl()


def config(dsn: str) -> PostgresConfig:
    return PostgresConfig.model_validate({"dsn": dsn})


def test_the_collector_works_with_its_schema_alone(database: str, names: dict[str, str], tmp_path: Path) -> None:
    async def scenario() -> None:
        today = datetime.now(UTC).date()
        async with connected(config(as_role(database, names["collector"])), "test") as connection:
            await migrate(connection)
            await make_partitions(connection, [today, today - timedelta(days=9)], today)
            rows, sources = zip(*(row_of(document(number)) for number in range(10)), strict=True)
            for _ in range(2):  # the second time through a temporary table
                assert await store(connection, rows, set(sources)) == []
            await detach_old(connection, datetime.now(UTC))
            (table,) = await detached(connection)
            assert await archive(connection, table, tmp_path)
            assert await connection.fetchval("SELECT count(*) FROM logintel.log_entries") == 10
            assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            for forbidden in ("CREATE TABLE public.mine (n INT)", "CREATE ROLE mine", "SELECT * FROM pg_authid"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(forbidden)

    asyncio.run(scenario())


def test_readers_see_events_and_alerts_but_no_hashes_and_change_nothing(database: str, names: dict[str, str]) -> None:
    async def scenario() -> None:
        owner = as_role(database, names["collector"])
        async with connected(config(owner), "test") as connection:
            await migrate(connection)
        psql(owner, "-v", f"reader={names['reader']}", "-f", SCRIPTS / "grants.sql")
        async with connected(config(owner), "test") as connection:
            await make_partitions(connection, [date(2026, 3, 4)], date(2026, 3, 4))
            row, source = row_of(document(1))
            await store(connection, [row], {source})
        async with connected(config(as_role(database, names["reader"])), "test") as reader:
            assert await reader.fetchval("SELECT count(*) FROM log_entries") == 1
            assert await reader.fetch("SELECT * FROM alerts") == []
            for forbidden in (
                *(f"SELECT * FROM {table}" for table in ("users", "user_sessions", "api_keys", "outbox")),
                "DELETE FROM log_entries",
                "CREATE TABLE logintel.mine (n INT)",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await reader.execute(forbidden)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(as_role(database, names["backup"]))

    asyncio.run(scenario())
