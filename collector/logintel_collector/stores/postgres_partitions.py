"""Partitions of log_entries: made ahead and on demand, dropped when all that they hold is old.

A day of the last weeks has a partition of its own; older days share one with the rest of their month, as far as no
other partition holds it: ten years of old logs make hundreds of partitions instead of thousands, and a query that looks
into all of them stays within PostgreSQL's table of locks. A partition's name says what it holds.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple, TypeAlias

import asyncpg

#: Days before today that have a partition each.
DAILY: Final = 40
#: Whoever makes or drops a partition holds this advisory lock.
PARTITIONING: Final = 0x6C6F67_02
#: Seconds that it waits for the tables' locks; everybody else waits behind it meanwhile.
LOCK_WAIT: Final = 3
#: Rows that are deleted at once.
CHUNK: Final = 10_000
_NAME: Final = re.compile(r"log_entries_([0-9]{8})(?:_([0-9]{8}))?")
_DAY: Final = timedelta(days=1)
_CHILDREN: Final = """
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'log_entries'::regclass ORDER BY relname
"""
_MOVE: Final = """
    WITH moved AS (DELETE FROM log_entries_default WHERE timestamp >= $1 AND timestamp < $2 RETURNING *)
    INSERT INTO {name} SELECT * FROM moved
"""
# Locks in the order in which a recorder takes them, log_sources first: waiting in a ring would end in an error. ATTACH
# and DROP take the same ones later, because of the foreign key. Nobody may add to the default partition what belongs
# into the new one while that is being attached.
# DETACH CONCURRENTLY, which would need less, PostgreSQL refuses where there is a default partition.
_BEFORE_ATTACH: Final = """
    LOCK TABLE log_sources IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE log_entries_default IN ACCESS EXCLUSIVE MODE
"""
_BEFORE_DROP: Final = """
    LOCK TABLE log_sources IN ACCESS EXCLUSIVE MODE;
    LOCK TABLE ONLY log_entries IN ACCESS EXCLUSIVE MODE
"""
_DELETE: Final = """
    DELETE FROM log_entries_default WHERE ctid = ANY (
        ARRAY (SELECT ctid FROM log_entries_default WHERE created_at < $1 LIMIT $2)
    )
"""


class Partition(NamedTuple):
    """Rows with `first` <= timestamp < `end`, days of UTC."""

    first: date
    end: date

    @property
    def name(self) -> str:
        """Of its table."""
        if self.end - self.first == _DAY:
            return f"log_entries_{self.first:%Y%m%d}"
        return f"log_entries_{self.first:%Y%m%d}_{self.end:%Y%m%d}"


#: What becomes of an old partition, in the caller's transaction, which holds the locks that DROP and DETACH take.
Retire: TypeAlias = Callable[[asyncpg.Connection, Partition], Awaitable[None]]


def named(name: str) -> Partition | None:
    """The partition of that name; None: it is not one of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    first = datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date()
    return Partition(first, datetime.strptime(match[2], "%Y%m%d").date() if match[2] else first + _DAY)  # noqa: DTZ007 - a date


def partition_for(day: date, today: date, existing: Iterable[Partition]) -> Partition | None:
    """The partition to make for `day`; None: one of `existing` holds it."""
    first, end = (day, day + _DAY) if day >= today - DAILY * _DAY else _month(day)
    for other in existing:
        if other.first <= day < other.end:
            return None
        if other.end <= day:
            first = max(first, other.end)
        else:
            end = min(end, other.first)
    return Partition(first, end)


async def partitions(connection: asyncpg.Connection) -> list[Partition]:
    """Those that there are, in order of time."""
    names = (row["relname"] for row in await connection.fetch(_CHILDREN))
    return sorted(partition for name in names if (partition := named(name)))


async def make_partitions(connection: asyncpg.Connection, days: Collection[date], today: date) -> list[Partition]:
    """Make those that the days need, each in a transaction of its own; the ones made.

    Raises LockNotAvailableError when somebody reads log_entries for long: nothing waits behind us meanwhile.
    """
    made = []
    for day in sorted(days):
        async with turn(connection):
            partition = partition_for(day, today, await partitions(connection))
            if partition is not None:
                await _make(connection, partition)
                made.append(partition)
    return made


async def drop_old(connection: asyncpg.Connection, before: datetime) -> list[Partition]:
    """Drop partitions whose rows all happened and arrived earlier than `before`; the ones dropped.

    Raises LockNotAvailableError as make_partitions does.
    """
    return await retire_old(connection, before, _drop)


async def retire_old(connection: asyncpg.Connection, before: datetime, retire: Retire) -> list[Partition]:
    """`retire` each partition that drop_old would drop, in a transaction of its own; the ones retired.

    Raises LockNotAvailableError as make_partitions does.
    """
    retired: list[Partition] = []
    async with connection.transaction():
        candidates = [partition for partition in await partitions(connection) if _midnight(partition.end) <= before]
    for partition in candidates:
        async with turn(connection):
            if await _is_old(connection, partition, before):
                await connection.execute(_BEFORE_DROP)
                # Somebody may have added to it until now.
                if await _is_old(connection, partition, before):
                    await retire(connection, partition)
                    retired.append(partition)
    return retired


async def delete_old(connection: asyncpg.Connection, before: datetime) -> int:
    """Delete rows of the default partition that arrived earlier than `before`; how many."""
    total = 0
    while True:
        async with connection.transaction():
            deleted = int((await connection.execute(_DELETE, before, CHUNK)).split()[-1])
        total += deleted
        if deleted < CHUNK:
            return total


@asynccontextmanager
async def turn(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction that nobody else makes or drops partitions beside, and that waits for no lock for long."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}s'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PARTITIONING)
        yield


async def _drop(connection: asyncpg.Connection, partition: Partition) -> None:
    await connection.execute(f"DROP TABLE {partition.name}")


async def _make(connection: asyncpg.Connection, partition: Partition) -> None:
    """A table of its own first, with the default partition's rows of that time, then part of log_entries."""
    name, first, end = partition.name, _midnight(partition.first), _midnight(partition.end)
    await connection.execute(_BEFORE_ATTACH)
    await connection.execute(f"CREATE TABLE {name} (LIKE log_entries INCLUDING ALL)")
    await connection.execute(_MOVE.format(name=name), first, end)
    values = f"FROM ('{first.isoformat()}') TO ('{end.isoformat()}')"
    await connection.execute(f"ALTER TABLE log_entries ATTACH PARTITION {name} FOR VALUES {values}")


async def _is_old(connection: asyncpg.Connection, partition: Partition, before: datetime) -> bool:
    """Whether it is there, and no row of it arrived later."""
    if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", partition.name):
        return False
    newest = await connection.fetchval(f"SELECT max(created_at) FROM {partition.name}")  # noqa: S608 - ours
    return newest is None or newest < before


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
