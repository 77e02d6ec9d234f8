"""PostgreSQL's partitions, made ahead of time; dropped, or detached for the archive, when all that they hold is old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import structlog

from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.stores import postgres
from logintel_collector.stores.postgres_detached import detach_old, detach_outliers
from logintel_collector.stores.postgres_partitions import delete_old, drop_old, make_partitions

#: Days from today on whose partitions are there before the first event needs them.
AHEAD: Final = 3
#: Events of the last years have an index of their own day, so a longer retention is none (processor.AcceptedRange).
_LONGEST: Final = 3653.0
_log = structlog.get_logger(__name__)


class Partitions(Chore):
    """Partitions `made`, `dropped`, `detached` in this run; rows of the default one `deleted`, `detached_rows`."""

    name = "partitions"
    every = 600.0

    def __init__(self, config: CollectorConfig) -> None:
        """Raises Refused."""
        super().__init__()
        self.made = self.dropped = self.deleted = self.detached = self.detached_rows = 0
        self._postgres = postgres.required(config, "keeper")
        self._retention = timedelta(days=min(config.stores.retention.days, _LONGEST))

    def summary(self) -> dict[str, int]:
        """See Chore."""
        if self._postgres.archive_dir:
            return {"made": self.made, "detached": self.detached, "detached_rows": self.detached_rows}
        return {"made": self.made, "dropped": self.dropped, "deleted": self.deleted}

    async def keep(self) -> None:
        """See Chore. Raises Refused where nobody has set the tables up."""
        async with postgres.connected(self._postgres, "keeper") as connection:
            await postgres.require_current(connection)
            try:
                now = datetime.now(UTC)
                await self._make(connection, now)
                before = now - self._retention
                await (self._detach if self._postgres.archive_dir else self._drop)(
                    connection, before, _midnight(before)
                )
            except asyncpg.LockNotAvailableError:
                _log.warning("partitions_not_kept", reason="log_entries is locked", effect="tried again later")

    async def _make(self, connection: asyncpg.Connection, now: datetime) -> None:
        days = [(now + timedelta(days=day)).date() for day in range(AHEAD + 1)]
        if made := await make_partitions(connection, days, now.date()):
            _log.info("partitions_made", tables=[partition.name for partition in made])
            self.made += len(made)

    async def _drop(self, connection: asyncpg.Connection, before: datetime, outliers_before: datetime) -> None:
        if dropped := await drop_old(connection, before):
            _log.info("partitions_dropped", tables=[partition.name for partition in dropped])
            self.dropped += len(dropped)
        if deleted := await delete_old(connection, outliers_before):
            _log.info("rows_deleted", table="log_entries_default", rows=deleted)
            self.deleted += deleted

    async def _detach(self, connection: asyncpg.Connection, before: datetime, outliers_before: datetime) -> None:
        if gone := await detach_old(connection, before):
            _log.info("partitions_detached", tables=[partition.name for partition in gone])
            self.detached += len(gone)
        if moved := await detach_outliers(connection, outliers_before):
            _log.info("rows_detached", table="log_entries_default", rows=moved)
            self.detached_rows += moved


def _midnight(moment: datetime) -> datetime:
    """Outliers go a day at once: an archive for each few of them would be many."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it. Raises Refused."""
    return Partitions(config)
