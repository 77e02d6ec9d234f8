"""Partitions of log_entries: made while others write, with the rows that came before them, and dropped when old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import asyncpg
import pytest

from logintel_collector.config import PostgresConfig
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_partitions import (
    Partition,
    delete_old,
    drop_old,
    make_partitions,
    partition_for,
    partitions,
)

TODAY = date(2026, 3, 20)
DAY = timedelta(days=1)
Scenario = Callable[[asyncpg.Connection], Awaitable[None]]


def of(dsn: str) -> PostgresConfig:
    return PostgresConfig.model_validate({"dsn": dsn})


def run(database: str, scenario: Scenario) -> None:
    async def main() -> None:
        async with connected(of(database), "test") as connection, asyncio.timeout(60):
            await migrate(connection)
            await scenario(connection)

    asyncio.run(main())


async def insert(connection: asyncpg.Connection, day: date, arrived: date = TODAY, hour: int = 12) -> None:
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO log_entries (log_id, timestamp, created_at) VALUES ('x', $1, $2)", moment, arrived
    )


async def rows(connection: asyncpg.Connection) -> dict[str, int]:
    """How many rows each partition has."""
    return dict(await connection.fetch("SELECT tableoid::regclass::text, count(*) FROM log_entries GROUP BY 1"))


@pytest.mark.parametrize(
    ("day", "existing", "made"),
    [
        (TODAY, [], Partition(TODAY, TODAY + DAY)),
        (TODAY - 40 * DAY, [], Partition(TODAY - 40 * DAY, TODAY - 39 * DAY)),
        (date(2025, 12, 31), [], Partition(date(2025, 12, 1), date(2026, 1, 1))),
        (date(2025, 12, 31), [Partition(date(2025, 12, 1), date(2026, 1, 1))], None),
        (date(2025, 12, 5), [Partition(date(2025, 12, 5), date(2025, 12, 6))], None),
        # Days that were recent once have a partition each; what is left of their month is made around them.
        (
            date(2025, 12, 10),
            [Partition(date(2025, 12, 5), date(2025, 12, 6)), Partition(date(2025, 12, 20), date(2025, 12, 21))],
            Partition(date(2025, 12, 6), date(2025, 12, 20)),
        ),
    ],
)
def test_recent_days_have_a_partition_each_and_older_ones_share(
    day: date, existing: list[Partition], made: Partition | None
) -> None:
    assert partition_for(day, TODAY, existing) == made


def test_rows_that_came_before_their_partition_are_moved_into_it(database: str) -> None:
    async def scenario(connection: asyncpg.Connection) -> None:
        for day in (TODAY - DAY, TODAY, TODAY, date(1999, 1, 1)):
            await insert(connection, day)
        await insert(connection, TODAY, hour=0)
        await insert(connection, TODAY + DAY, hour=0)
        assert await rows(connection) == {"log_entries_default": 6}
        made = await make_partitions(connection, [TODAY], TODAY)
        assert made == [Partition(TODAY, TODAY + DAY)]
        assert await rows(connection) == {"log_entries_20260320": 3, "log_entries_default": 3}
        assert await make_partitions(connection, [TODAY, date(2025, 5, 5)], TODAY) == [
            Partition(date(2025, 5, 1), date(2025, 6, 1))
        ]
        await insert(connection, date(2025, 5, 31), hour=23)
        assert (await rows(connection))["log_entries_20250501_20250601"] == 1
        indexes = await connection.fetch("SELECT 1 FROM pg_indexes WHERE tablename = 'log_entries_20260320'")
        assert len(indexes) == 9

    run(database, scenario)


def test_partitions_are_made_once_while_others_write(database: str) -> None:
    """Three make the same days, two write into them the whole time; every row is in its partition."""
    days = [TODAY + n * DAY for n in range(8)]
    written = 0

    async def write(stop: asyncio.Event) -> None:
        nonlocal written
        async with connected(of(database), "test") as connection:
            while not stop.is_set():
                async with connection.transaction():
                    await connection.execute("INSERT INTO log_sources (name, type) VALUES ('x', 'custom')")
                    for day in days:
                        await insert(connection, day)
                written += len(days)

    async def make() -> list[Partition]:
        async with connected(of(database), "test") as connection:
            return await make_partitions(connection, days, TODAY)

    async def scenario(connection: asyncpg.Connection) -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(write(stop))
            while not written:
                await asyncio.sleep(0.01)
            made = await asyncio.gather(make(), make(), make())
            stop.set()
        assert sorted(chain(*made)) == [Partition(day, day + DAY) for day in days]
        assert await rows(connection) == {Partition(day, day + DAY).name: written // len(days) for day in days}

    run(database, scenario)


def test_a_long_reader_keeps_partitions_from_being_made_but_nobody_from_writing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logintel_collector.stores.postgres_partitions.LOCK_WAIT", 1)

    async def scenario(connection: asyncpg.Connection) -> None:
        async with connected(of(database), "test") as reader:
            async with reader.transaction():
                await reader.fetch("SELECT * FROM log_entries")
                with pytest.raises(asyncpg.LockNotAvailableError):
                    await make_partitions(connection, [TODAY], TODAY)
                await insert(connection, TODAY)
                assert await rows(connection) == {"log_entries_default": 1}
            await make_partitions(connection, [TODAY], TODAY)
            assert await rows(connection) == {"log_entries_20260320": 1}

    run(database, scenario)


def test_partitions_are_dropped_when_all_that_they_hold_is_old(database: str) -> None:
    async def scenario(connection: asyncpg.Connection) -> None:
        month, long_ago = date(2025, 5, 5), date(2026, 1, 1)
        await make_partitions(connection, [month, date(2025, 6, 6), TODAY - 30 * DAY, TODAY - 29 * DAY, TODAY], TODAY)
        await insert(connection, month, arrived=long_ago)
        await insert(connection, date(2025, 6, 6), arrived=TODAY)
        before = datetime(2026, 2, 18, tzinfo=UTC)
        assert await drop_old(connection, before) == [Partition(date(2025, 5, 1), date(2025, 6, 1))]
        assert [partition.first for partition in await partitions(connection)] == [
            date(2025, 6, 1), TODAY - 30 * DAY, TODAY - 29 * DAY, TODAY,
        ]  # fmt: skip
        assert await drop_old(connection, before + DAY) == [Partition(TODAY - 30 * DAY, TODAY - 29 * DAY)]
        assert await rows(connection) == {"log_entries_20250601_20250701": 1}

    run(database, scenario)


def test_outliers_go_by_their_arrival(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logintel_collector.stores.postgres_partitions.CHUNK", 2)

    async def scenario(connection: asyncpg.Connection) -> None:
        for arrived in (*[TODAY - 31 * DAY] * 5, TODAY, TODAY):
            await insert(connection, date(1999, 1, 1), arrived=arrived)
        assert await delete_old(connection, datetime(2026, 2, 19, tzinfo=UTC)) == 5
        assert await rows(connection) == {"log_entries_default": 2}

    run(database, scenario)
