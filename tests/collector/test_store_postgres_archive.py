"""The archive of log_entries: whole and durable before anything is dropped, and PostgreSQL takes it back as it was."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logintel_collector.config import PostgresConfig
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_archive import archive, whole
from logintel_collector.stores.postgres_detached import detach_old, detach_outliers, detached
from logintel_collector.stores.postgres_partitions import make_partitions
from logintel_devstack.postgres import program

TODAY = datetime.now(UTC).date()
#: In the order of the table, which is that of the file.
COLUMNS = (
    "id", "source_id", "log_id", "timestamp", "level", "message", "category", "tags", "metadata", "size_bytes",
    "processing_status", "created_at",
)  # fmt: skip
DAY = timedelta(days=1)
DOCS = Path(__file__).parents[2] / "docs" / "tables.md"
#: As docs/tables.md has it.
RESTORE = r"""CREATE TABLE restored (LIKE log_entries);
\copy restored FROM PROGRAM 'gzip -dc FILE' WITH (FORMAT csv, HEADER match)
"""
#: Archives what is there and is killed at the step of that number; a step is what changes a disk or the database.
KILLED = """
import asyncio, os, signal, sys
from itertools import count
from pathlib import Path
import asyncpg
from logintel_collector.stores import postgres_archive, postgres_detached

dsn, directory, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
steps = count(1)

def counted(call):
    def step(*args, **options):
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)
    return step

async def main():
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    while tables := await postgres_detached.detached(connection):
        await postgres_archive.archive(connection, tables[0], directory)
        await asyncio.sleep(0.02)

os.fsync, os.replace = counted(os.fsync), counted(os.replace)
asyncpg.Connection.execute = counted(asyncpg.Connection.execute)
asyncio.run(main())
print("steps", next(steps))
"""


@asynccontextmanager
async def tables(database: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(PostgresConfig.model_validate({"dsn": database}), "test") as connection, asyncio.timeout(300):
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


async def set_aside(connection: asyncpg.Connection, rows: list[tuple[Any, ...]]) -> str:
    """A detached table of these rows; its name."""
    await connection.copy_records_to_table("log_entries", records=rows, columns=COLUMNS)
    assert await detach_outliers(connection, datetime(9999, 1, 1, tzinfo=UTC)) == len(rows)
    (name,) = await detached(connection)
    return name


def restored(database: str, file: Path) -> None:
    """What the documentation says, by psql."""
    script = RESTORE.replace("FILE", str(file))
    words = [program("psql"), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--quiet", database]
    done = subprocess.run(words, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.sampled_from(
    ["", "\\.", "\\N", "NULL", '"', '""', "a,b\r\nc", "\n\\.\n", "\t", "größe\N{GRINNING FACE}", "\N{BOM}"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
rows_of_any_kind = st.tuples(
    st.uuids(),
    st.none(),
    text.filter(lambda value: len(value) <= 255),
    moments,
    st.none() | st.sampled_from(["INFO", "ERROR", ""]),
    st.none() | text,
    st.none() | text,
    st.none() | st.lists(text, max_size=3).map(lambda value: orjson.dumps(value).decode()),
    st.none() | json_values.map(lambda value: orjson.dumps(value).decode()),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.just("processed"),
    moments,
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.lists(rows_of_any_kind, min_size=1, max_size=20, unique_by=lambda row: row[0]))
def test_postgresql_takes_back_what_was_archived_as_it_was(database: str, tmp_path: Path, rows: list[Any]) -> None:
    """By the commands that the documentation shows. NULL and an empty text stay two things."""
    assert RESTORE.replace("FILE", "log_entries_20260304_detached_20260404001502000000.csv.gz") in DOCS.read_text(
        "utf-8"
    )
    columns = ", ".join(COLUMNS)

    async def scenario() -> None:
        async with tables(database) as connection:
            name = await set_aside(connection, rows)
            before = await connection.fetch(f"SELECT {columns} FROM {name} ORDER BY id")
            manifest = await archive(connection, name, tmp_path)
            assert manifest
            assert (manifest.rows, await detached(connection)) == (len(rows), [])
            await connection.execute("DROP TABLE IF EXISTS restored")
            await asyncio.to_thread(restored, database, tmp_path / manifest.file)
            assert await connection.fetch(f"SELECT {columns} FROM restored ORDER BY id") == before

    asyncio.run(scenario())


def test_a_file_says_how_many_rows_it_has_and_what_its_sum_is(database: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with tables(database) as connection:
            await insert(connection, date(1999, 1, 1), TODAY - 9 * DAY, 3)
            await detach_outliers(connection, datetime.now(UTC))
            (name,) = await detached(connection)
            await archive(connection, name, tmp_path)
            assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.csv.gz", f"{name}.json"]
            packed = (tmp_path / f"{name}.csv.gz").read_bytes()
            assert json.loads((tmp_path / f"{name}.json").read_text()) == {
                "version": 1, "table": name, "file": f"{name}.csv.gz", "rows": 3,
                "bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest(),
            }  # fmt: skip
            lines = gzip.decompress(packed).decode().splitlines()
            assert lines[0] == ",".join(COLUMNS)
            assert [line.split(",")[3] for line in lines[1:]] == ["1999-01-01 12:00:00+00"] * 3
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}

    asyncio.run(scenario())


def test_a_kill_at_any_step_leaves_the_table_or_its_whole_archive(database: str, tmp_path: Path) -> None:
    """Each step of one archive in turn is the last; what the next try finds is always enough."""

    def run(last: int) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", KILLED, database, str(tmp_path), str(last)]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)

    async def scenario() -> None:
        async with tables(database) as connection:
            await insert(connection, date(1999, 1, 1), TODAY - 9 * DAY, 2000)
            await detach_outliers(connection, datetime.now(UTC))
            (name,) = await detached(connection)
            last, killed = 4, 0  # BEGIN, settings and LOCK come before anything is written
            # An archive that is there already takes fewer steps, so each try begins without one.
            while (done := await asyncio.to_thread(run, last)).returncode:
                assert done.returncode == -9, done.stderr
                there = bool(await detached(connection))
                assert there or whole(tmp_path, name, 2000)
                killed += there
                if there:
                    (tmp_path / f"{name}.json").unlink(missing_ok=True)
                last += 1
            assert killed >= 8
            assert await detached(connection) == []
            assert whole(tmp_path, name, 2000)
            assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.csv.gz", f"{name}.json"]

    asyncio.run(scenario())


def test_what_is_being_read_is_dropped_later_and_not_written_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump of the database holds a lock on each table while it runs."""
    monkeypatch.setattr("logintel_collector.stores.postgres_archive._SETTINGS", "SET LOCAL lock_timeout = '100ms'")

    async def scenario() -> None:
        async with tables(database) as connection:
            await insert(connection, date(1999, 1, 1), TODAY - 9 * DAY, 10)
            await detach_outliers(connection, datetime.now(UTC))
            (name,) = await detached(connection)
            async with tables(database) as reader, reader.transaction():
                await reader.fetch(f"SELECT * FROM {name}")
                assert await archive(connection, name, tmp_path) is None
            written = (tmp_path / f"{name}.csv.gz").stat()
            assert await detached(connection) == [name]
            assert await archive(connection, name, tmp_path)
            assert await detached(connection) == []
            assert (tmp_path / f"{name}.csv.gz").stat().st_ino == written.st_ino

    asyncio.run(scenario())


@pytest.mark.parametrize("damage", ["cut", "other", "fewer rows"])
def test_an_archive_that_is_not_what_its_manifest_says_is_written_again(
    database: str, tmp_path: Path, damage: str
) -> None:
    async def scenario() -> None:
        async with tables(database) as connection:
            await insert(connection, date(1999, 1, 1), TODAY - 9 * DAY, 10)
            await detach_outliers(connection, datetime.now(UTC))
            (name,) = await detached(connection)
            file, manifest = tmp_path / f"{name}.csv.gz", tmp_path / f"{name}.json"
            await connection.execute(f"CREATE TABLE kept (LIKE {name}); INSERT INTO kept SELECT * FROM {name}")
            await archive(connection, name, tmp_path)
            await connection.execute(f"ALTER TABLE kept RENAME TO {name}")
            before = file.read_bytes()
            if damage == "fewer rows":
                manifest.write_text(manifest.read_text().replace('"rows":10', '"rows":9'))
            else:
                file.write_bytes(before[:-1] if damage == "cut" else before[:-1] + b"\1")
            assert await archive(connection, name, tmp_path)
            assert file.read_bytes() == before
            assert whole(tmp_path, name, 10)

    asyncio.run(scenario())


def test_memory_does_not_grow_with_the_table(database: str, tmp_path: Path) -> None:
    script = (
        "import resource\n" + KILLED.partition("os.fsync, os.replace")[0] + "before = resource.getrusage(0).ru_maxrss\n"
        "asyncio.run(main())\nprint(resource.getrusage(0).ru_maxrss - before)\n"
    )

    async def scenario() -> None:
        async with tables(database) as connection:
            await connection.execute("CREATE UNLOGGED TABLE log_entries_big_detached_1 (LIKE log_entries)")
            await connection.execute(
                "INSERT INTO log_entries_big_detached_1 (id, log_id, timestamp, message) "
                "SELECT gen_random_uuid(), n, now(), repeat(md5(n::text), 32) FROM generate_series(1, 50000) AS n"
            )
        words = [sys.executable, "-c", script, database, str(tmp_path), "0"]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) < 20 * 1024  # KiB; the table has 50 MB

    asyncio.run(scenario())


def test_a_day_that_was_archived_may_come_again(database: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with tables(database) as connection:
            day, before = TODAY - 9 * DAY, datetime.now(UTC) - timedelta(days=7)
            for _ in range(2):
                assert await make_partitions(connection, [day], TODAY)
                await insert(connection, day, day, 5)
                assert len(await detach_old(connection, before)) == 1
            names = await detached(connection)
            assert len(names) == 2
            for name in names:
                assert await archive(connection, name, tmp_path)
            assert len(list(tmp_path.glob("*.csv.gz"))) == 2

    asyncio.run(scenario())
