"""Keepers that archive: each old day once, whoever does it, and nothing is dropped where a file cannot be written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.archive import Archive
from logintel_collector.keeping.chore import Chore
from logintel_collector.keeping.partitions import Partitions
from logintel_collector.roles import runner
from logintel_collector.roles.keeper_role import KeeperRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_detached import detach_outliers, detached
from logintel_collector.stores.postgres_partitions import make_partitions

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)


def config(database: str, directory: Path | None) -> CollectorConfig:
    postgres = {"dsn": database} | ({"archive_dir": str(directory)} if directory else {})
    return CollectorConfig.model_validate({"stores": {"postgres": postgres, "retention": {"days": 7}}})


@asynccontextmanager
async def tables(database: str) -> AsyncIterator[asyncpg.Connection]:
    postgres = config(database, None).stores.postgres
    assert postgres
    async with connected(postgres, "test") as connection, asyncio.timeout(300):
        await migrate(connection)
        yield connection


async def insert(connection: asyncpg.Connection, day: date, arrived: date, count: int = 1) -> None:
    await connection.execute(
        "INSERT INTO log_entries (log_id, timestamp, created_at, message) "
        "SELECT n::text, $1, $2, 'order ' || n FROM generate_series(1, $3::int) AS n",
        datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        datetime(arrived.year, arrived.month, arrived.day, tzinfo=UTC),
        count,
    )


async def kept(*chores: Chore) -> None:
    await run_roles([KeeperRole(chores)], asyncio.Event(), once=True)


def test_several_keepers_archive_each_old_day_once(database: str, tmp_path: Path) -> None:
    """Rows that stay and rows in files are together what there was; outliers are among them."""

    async def scenario() -> None:
        async with tables(database) as connection:
            old, recent = [TODAY - n * DAY for n in range(9, 14)], TODAY - 6 * DAY
            await make_partitions(connection, [*old, recent], TODAY)
            for number, day in enumerate([*old, date(1999, 1, 1)]):
                await insert(connection, day, TODAY - 9 * DAY, 100 + number)
            await insert(connection, recent, recent, 7)
            settings = config(database, tmp_path)
            makers = [Partitions(settings) for _ in range(3)]
            await asyncio.gather(*(kept(maker) for maker in makers))
            assert [sum(maker.detached for maker in makers), sum(maker.detached_rows for maker in makers)] == [5, 105]
            archivers = [Archive(settings) for _ in range(3)]
            while await detached(connection):
                await asyncio.gather(*(kept(archiver) for archiver in archivers))
            assert sum(archiver.archived for archiver in archivers) == 6
            assert sum(archiver.archived_rows for archiver in archivers) == sum(range(100, 106))
            found = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
            assert sorted(manifest["rows"] for manifest in found) == list(range(100, 106))
            assert await connection.fetchval("SELECT count(*) FROM log_entries") == 7

    asyncio.run(scenario())


def test_without_its_directory_nothing_is_dropped(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PAUSE", (0.05, 0.1))
    place = tmp_path / "not mounted"

    async def scenario() -> None:
        async with tables(database) as connection:
            day = TODAY - 9 * DAY
            await make_partitions(connection, [day], TODAY)
            await insert(connection, day, day, 5)
            stop, chores = asyncio.Event(), [Partitions(config(database, place)), Archive(config(database, place))]
            await kept(chores[0])
            role = KeeperRole(chores[1:])
            running = asyncio.create_task(run_roles([role], stop))
            async with asyncio.timeout(60):
                while not role.progress.trouble:
                    await asyncio.sleep(0.01)
                assert f"stores.postgres.archive_dir: {place} is no directory: make it" in role.progress.trouble
                assert len(await detached(connection)) == 1
                place.mkdir()
                while await detached(connection):
                    await asyncio.sleep(0.05)
            stop.set()
            await running
            assert [
                manifest["rows"] for manifest in map(json.loads, (p.read_text() for p in place.glob("*.json")))
            ] == [5]

    asyncio.run(scenario())


def test_a_directory_that_is_not_named_any_more_keeps_what_was_detached(database: str) -> None:
    async def scenario() -> None:
        async with tables(database) as connection:
            await insert(connection, date(1999, 1, 1), date(2020, 1, 1))
            await detach_outliers(connection, datetime.now(UTC))
            with pytest.raises(FileNotFoundError, match="kept until stores"):
                await Archive(config(database, None)).keep()
            assert len(await detached(connection)) == 1

    asyncio.run(scenario())
