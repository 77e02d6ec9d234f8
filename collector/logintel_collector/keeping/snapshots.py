"""Snapshots of the indices: one a day, the oldest deleted, where the configuration asks for it."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from logintel_collector.config import CollectorConfig, ElasticsearchConfig, SnapshotsConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.stores.elasticsearch import ElasticsearchError, connected
from logintel_collector.stores.elasticsearch_snapshots import Repository

_log = structlog.get_logger(__name__)


class Snapshots(Chore):
    """Snapshots `snapshots_taken` and `snapshots_deleted` in this run. Keepers take the same one together."""

    name = "snapshots"
    every = 600.0
    #: A first one copies all there is.
    patience = 24 * 3600.0

    def __init__(self, elasticsearch: ElasticsearchConfig) -> None:
        super().__init__()
        self.snapshots_taken = self.snapshots_deleted = 0
        self._elasticsearch, self._snapshots = elasticsearch, elasticsearch.snapshots or SnapshotsConfig()

    def summary(self) -> dict[str, int]:
        """See Chore."""
        return {"snapshots_taken": self.snapshots_taken, "snapshots_deleted": self.snapshots_deleted}

    async def keep(self) -> None:
        """See Chore. Raises ElasticsearchError, also where a snapshot is not whole."""
        if not self._snapshots.daily:
            return
        async with connected(self._elasticsearch) as client:
            repository = Repository(client, self._snapshots)
            await repository.prepare()
            await self._take(repository)
            await self._delete(repository)

    async def _take(self, repository: Repository) -> None:
        name = repository.name_of(datetime.now(UTC), daily=True)
        if any(each.name == name and each.state == "SUCCESS" for each in await repository.all()):
            return
        taken = await repository.take(name)
        if taken.state != "SUCCESS":
            # Its name is for a whole one: the next try takes it again.
            await repository.delete(name)
            why = "; ".join(taken.failures[:3]) or taken.state
            raise ElasticsearchError(f"snapshot {name} is not whole: {why}: look at the health of these indices")
        _log.info("snapshot_taken", name=name, indices=len(taken.indices))
        self.snapshots_taken += 1

    async def _delete(self, repository: Repository) -> None:
        daily = [each for each in await repository.all() if repository.is_daily(each.name)]
        for each in daily[: -self._snapshots.keep]:
            await repository.delete(each.name)
            _log.info("snapshot_deleted", name=each.name)
            self.snapshots_deleted += 1


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it. Raises Refused."""
    elasticsearch = config.stores.elasticsearch
    assert elasticsearch is not None
    return Snapshots(elasticsearch)
