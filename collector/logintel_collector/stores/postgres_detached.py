"""Detached tables: old rows taken out of log_entries, under a name of their own, until they are archived and dropped.

Nobody writes to one: from the commit that makes it on, it holds what it will be archived with. What a keeper that died
has left is found by its name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import asyncpg

from logintel_collector.stores.postgres_partitions import Partition, retire_old, turn

#: Rows of the default partition that go into one table.
OUTLIERS: Final = 50_000
_MARK: Final = "_detached_"
_DETACHED: Final = """
    SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition
        AND relname ~ '^log_entries_[a-z0-9_]+_detached_[0-9]+$'
        AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'log_entries'::regclass)
    ORDER BY relname
"""
# Without its foreign key nobody who writes sources is in the way of dropping it.
_DETACH: Final = """
    ALTER TABLE log_entries DETACH PARTITION {name};
    ALTER TABLE {name} DROP CONSTRAINT {key};
    ALTER TABLE {name} RENAME TO {detached}
"""
_FOREIGN_KEY: Final = "SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'f'"
_ANY_OLD: Final = "SELECT EXISTS (SELECT FROM log_entries_default WHERE created_at < $1)"
_MOVE_OLD: Final = """
    WITH moved AS (
        DELETE FROM log_entries_default WHERE ctid = ANY (
            ARRAY (SELECT ctid FROM log_entries_default WHERE created_at < $1 LIMIT $2)
        ) RETURNING *
    )
    INSERT INTO {name} SELECT * FROM moved
"""


async def detach_old(connection: asyncpg.Connection, before: datetime) -> list[Partition]:
    """Detach the partitions that drop_old would drop; those detached. Raises LockNotAvailableError as it does."""
    return await retire_old(connection, before, _detach)


async def detach_outliers(connection: asyncpg.Connection, before: datetime) -> int:
    """Move the default partition's rows that arrived earlier than `before` to detached tables; how many."""
    total = 0
    while True:
        async with turn(connection):
            if not await connection.fetchval(_ANY_OLD, before):
                return total
            name = _unique("log_entries_outliers")
            await connection.execute(f"CREATE TABLE {name} (LIKE log_entries)")
            moved = await connection.execute(_MOVE_OLD.format(name=name), before, OUTLIERS)
        total += int(moved.split()[-1])


async def detached(connection: asyncpg.Connection) -> list[str]:
    """The names of the detached tables that there are."""
    return [row["relname"] for row in await connection.fetch(_DETACHED)]


async def _detach(connection: asyncpg.Connection, partition: Partition) -> None:
    """See postgres_partitions.Retire. Its name becomes free: events of that day may still come, and then need it."""
    key = await connection.fetchval(_FOREIGN_KEY, partition.name)
    await connection.execute(_DETACH.format(name=partition.name, key=key, detached=_unique(partition.name)))


def _unique(name: str) -> str:
    return f"{name}{_MARK}{datetime.now(UTC):%Y%m%d%H%M%S%f}"
