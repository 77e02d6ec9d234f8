"""Detached tables to files, and away: what has left log_entries is archived before it is dropped."""

from __future__ import annotations

from pathlib import Path

import structlog

from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.stores import postgres
from logintel_collector.stores.postgres_archive import archive, on_disk
from logintel_collector.stores.postgres_detached import detached

_log = structlog.get_logger(__name__)


class Archive(Chore):
    """Files `archived` in this run, and `archived_rows` in them."""

    name = "archive"
    every = 60.0
    # A large table takes as long as it takes: one that hangs is found by its bytes (postgres_archive.STALL).
    patience = 30 * 86_400.0

    def __init__(self, config: CollectorConfig) -> None:
        """Raises Refused."""
        super().__init__()
        self.archived = self.archived_rows = 0
        self._postgres = postgres.required(config, "keeper")

    def summary(self) -> dict[str, int]:
        """See Chore."""
        return {"archived": self.archived, "archived_rows": self.archived_rows}

    async def keep(self) -> None:
        """See Chore. Raises Refused where nobody has set the tables up, OSError where there is no directory or room."""
        async with postgres.connected(self._postgres, "keeper") as connection:
            await postgres.require_current(connection)
            tables = await detached(connection)
            if not tables:
                return
            directory = await on_disk(self._directory)
            for table in tables:
                if manifest := await archive(connection, table, directory):
                    _log.info("partition_archived", file=manifest.file, rows=manifest.rows, bytes=manifest.bytes)
                    self.archived += 1
                    self.archived_rows += manifest.rows

    def _directory(self) -> Path:
        """Not made here: where a disk is not mounted, it would be made on another."""
        directory = self._postgres.archive_dir
        if directory is None:
            raise FileNotFoundError("detached partitions are kept until stores.postgres.archive_dir is set again")
        if not directory.is_dir():
            raise FileNotFoundError(
                f"stores.postgres.archive_dir: {directory} is no directory: make it, writable for this user (or mount "
                "it); detached partitions are kept until then"
            )
        return directory


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it. Raises Refused."""
    return Archive(config)
