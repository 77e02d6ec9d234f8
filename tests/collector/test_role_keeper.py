"""The keeper on a real PostgreSQL: partitions are there before they are needed, and old ones go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.keeping.partitions import AHEAD, Partitions
from logintel_collector.roles import runner
from logintel_collector.roles.keeper_role import KeeperRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_partitions import Partition, make_partitions, partitions
from logintel_devstack.stack import Stack

DAY = timedelta(days=1)


def config(database: str) -> CollectorConfig:
    stores = {"postgres": {"dsn": database}, "retention": {"days": 7}}
    return CollectorConfig.model_validate({"stores": stores})


@asynccontextmanager
async def tables(database: str) -> AsyncIterator[asyncpg.Connection]:
    postgres = config(database).stores.postgres
    assert postgres
    async with connected(postgres, "test") as connection, asyncio.timeout(60):
        await migrate(connection)
        yield connection


async def kept(database: str) -> Partitions:
    chore = Partitions(config(database))
    await run_roles([KeeperRole([chore])], asyncio.Event(), once=True)
    return chore


def ahead(today: date) -> list[Partition]:
    return [Partition(today + n * DAY, today + (n + 1) * DAY) for n in range(AHEAD + 1)]


def test_the_next_days_have_their_partitions(database: str) -> None:
    async def scenario() -> None:
        async with tables(database) as connection:
            before = datetime.now(UTC).date()
            chores = await asyncio.gather(*(kept(database) for _ in range(3)))
            assert sum(chore.made for chore in chores) == AHEAD + 1
            assert await partitions(connection) in (ahead(before), ahead(datetime.now(UTC).date()))
            assert (await kept(database)).summary() == {"made": 0, "dropped": 0, "deleted": 0}

    asyncio.run(scenario())


def test_what_is_older_than_the_retention_goes(database: str) -> None:
    async def scenario() -> None:
        async with tables(database) as connection:
            today = datetime.now(UTC).date()
            old, late, recent = today - 9 * DAY, today - 10 * DAY, today - 6 * DAY
            await make_partitions(connection, [old, late, recent], today)
            for happened, arrived in (
                (old, old),
                (late, today),
                (recent, recent),
                (date(1999, 1, 1), old),
                (date(1999, 1, 1), today),
            ):
                await connection.execute(
                    "INSERT INTO log_entries (log_id, timestamp, created_at) VALUES ('x', $1, $2)", happened, arrived
                )
            chore = await kept(database)
            assert (chore.dropped, chore.deleted) == (1, 1)
            names = [row[0] for row in await connection.fetch("SELECT tableoid::regclass::text FROM log_entries")]
            assert sorted(names) == sorted(
                [Partition(day, day + DAY).name for day in (late, recent)] + ["log_entries_default"]
            )

    asyncio.run(scenario())


def test_a_long_reader_is_waited_for_in_the_background(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It keeps working: the partitions are made at the next look."""
    monkeypatch.setattr("logintel_collector.stores.postgres_partitions.LOCK_WAIT", 1)
    monkeypatch.setattr(Partitions, "every", 0.0)

    async def scenario() -> None:
        async with tables(database) as connection:
            stop, chore = asyncio.Event(), Partitions(config(database))
            role = KeeperRole([chore])
            running = asyncio.create_task(run_roles([role], stop))
            async with connection.transaction():
                await connection.fetch("SELECT * FROM log_entries")
                while not role.progress.done:
                    await asyncio.sleep(0.05)
                assert chore.made == 0
            while chore.made <= AHEAD:
                await asyncio.sleep(0.05)
            stop.set()
            await running

    asyncio.run(scenario())
    assert "partitions_not_kept" in capsys.readouterr().out


def test_a_keeper_goes_on_when_its_server_was_away(
    devstack: Stack, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Partitions, "every", 0.0)
    monkeypatch.setattr(runner, "PAUSE", (0.1, 0.5))

    async def scenario() -> None:
        async with tables(database):
            stop, role = asyncio.Event(), KeeperRole([Partitions(config(database))])
            running = asyncio.create_task(run_roles([role], stop))
            while not role.progress.done:
                await asyncio.sleep(0.05)
            try:
                await asyncio.to_thread(devstack.kill, "postgres")
                while not role.progress.trouble:
                    await asyncio.sleep(0.05)
            finally:
                await asyncio.to_thread(devstack.up, ["postgres"])
            done = role.progress.done
            while role.progress.done == done:
                await asyncio.sleep(0.05)
            assert role.progress.trouble is None
            stop.set()
            await running

    asyncio.run(scenario())


class Counting(Chore):
    """Done every hundredth of a second, or never."""

    every = 0.01

    def __init__(self, name: str, error: Exception | None = None) -> None:
        super().__init__()
        self.name, self._error, self.times = name, error, 0

    async def keep(self) -> None:
        if self._error:
            raise self._error
        self.times += 1


def test_a_chore_that_fails_keeps_no_other_from_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PAUSE", (0.01, 0.05))

    async def scenario() -> None:
        stop, failing, working = asyncio.Event(), Counting("snapshots", OSError("away")), Counting("partitions")
        role = KeeperRole([failing, working])
        running = asyncio.create_task(run_roles([role], stop))
        async with asyncio.timeout(30):
            while role.progress.tries < 3 or working.times < 3 or not role.trouble:
                await asyncio.sleep(0.01)
            assert role.trouble == "OSError: away"
            assert role.progress.lag == 1
            stop.set()
            await running

    asyncio.run(scenario())


def test_a_chore_that_hangs_shows_as_a_stall() -> None:
    class Hanging(Counting):
        patience = 0.0

        async def keep(self) -> None:
            await asyncio.sleep(3600)

    async def scenario() -> None:
        role = KeeperRole([Hanging("indices")])
        running = asyncio.create_task(role.run(asyncio.Event()))
        await asyncio.sleep(0.05)
        signs = role.signs
        await asyncio.sleep(1)
        assert role.signs == signs
        running.cancel()

    asyncio.run(scenario())


def test_without_tables_there_is_nothing_to_keep(database: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(kept(database))
    refused = caught.value.subgroup(Refused)
    assert "run `logintel collector setup`" in str(refused and refused.exceptions)
