"""PostgreSQL's partitions, made ahead of time, and dropped when all that they hold is old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import structlog

from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.stores import postgres
from logintel_collector.stores.postgres_partitions import delete_old, drop_old, make_partitions

#: Days from today on whose partitions are there before the first event needs them.
AHEAD: Final = 3
#: Events of the last years have an index of their own day, so a longer retention is none (processor.AcceptedRange).
_LONGEST: Final = 3653.0
_log = structlog.get_logger(__name__)


class Partitions(Chore):
    """Partitions `made` and `dropped` in this run, rows `deleted`."""

    name = "partitions"
    every = 600.0

    def __init__(self, config: CollectorConfig) -> None:
        """Raises Refused."""
        super().__init__()
        self.made = self.dropped = self.deleted = 0
        self._postgres = postgres.required(config, "keeper")
        self._retention = timedelta(days=min(config.stores.retention.days, _LONGEST))

    def summary(self) -> dict[str, int]:
        """See Chore."""
        return {"made": self.made, "dropped": self.dropped, "deleted": self.deleted}

    async def keep(self) -> None:
        """See Chore. Raises Refused where nobody has set the tables up."""
        async with postgres.connected(self._postgres, "keeper") as connection:
            await postgres.require_current(connection)
            try:
                now = datetime.now(UTC)
                await self._make(connection, now)
                await self._drop(connection, now - self._retention)
            except asyncpg.LockNotAvailableError:
                _log.warning("partitions_not_kept", reason="log_entries is locked", effect="tried again later")

    async def _make(self, connection: asyncpg.Connection, now: datetime) -> None:
        days = [(now + timedelta(days=day)).date() for day in range(AHEAD + 1)]
        if made := await make_partitions(connection, days, now.date()):
            _log.info("partitions_made", tables=[partition.name for partition in made])
            self.made += len(made)

    async def _drop(self, connection: asyncpg.Connection, before: datetime) -> None:
        if dropped := await drop_old(connection, before):
            _log.info("partitions_dropped", tables=[partition.name for partition in dropped])
            self.dropped += len(dropped)
        if deleted := await delete_old(connection, before):
            _log.info("rows_deleted", table="log_entries_default", rows=deleted)
            self.deleted += deleted


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it. Raises Refused."""
    return Partitions(config)
