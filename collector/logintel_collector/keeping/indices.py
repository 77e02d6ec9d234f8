"""Elasticsearch's indices: deleted when all that they hold is old; their templates, put when an earlier version did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.stores.elasticsearch import ElasticsearchClient, connected
from logintel_collector.stores.elasticsearch_indices import is_set_up, upgrade
from logintel_collector.stores.elasticsearch_retention import delete_most, delete_old, delete_old_outliers

#: Days that a longer retention means too: indices of events are for the last years (processor.AcceptedRange).
_LONGEST: Final = 3653.0
_log = structlog.get_logger(__name__)


class Indices(Chore):
    """`indices_deleted`, `outliers_deleted` (events of the outlier index) and `templates_put` in this run."""

    name = "indices"
    every = 600.0

    def __init__(self, config: CollectorConfig) -> None:
        """Raises Refused."""
        super().__init__()
        if config.stores.elasticsearch is None:
            raise Refused("role keeper needs stores.elasticsearch to keep indices: add it")
        self.indices_deleted = self.outliers_deleted = self.templates_put = 0
        self._elasticsearch = config.stores.elasticsearch
        retention = config.stores.retention
        self._retention = timedelta(days=min(retention.days, _LONGEST))
        # The default is for a file on a laptop: a cluster's room is bounded only where somebody has said so.
        self._room = int(retention.bytes) if "bytes" in retention.model_fields_set else None

    def summary(self) -> dict[str, int]:
        """See Chore."""
        return {name: getattr(self, name) for name in ("indices_deleted", "outliers_deleted", "templates_put")}

    async def keep(self) -> None:
        """See Chore. Raises Refused where nobody has set the indices up."""
        async with connected(self._elasticsearch) as client:
            if not await is_set_up(client):
                raise Refused(f"{client.at} has no template of our indices: run `logintel collector setup`")
            if put := await upgrade(client, self._elasticsearch):
                _log.info("templates_put", names=put, reason="an earlier version had put them")
                self.templates_put += len(put)
            await self._delete(client, datetime.now(UTC))

    async def _delete(self, client: ElasticsearchClient, now: datetime) -> None:
        before = now - self._retention
        self._deleted(await delete_old(client, before), "older than stores.retention.days")
        if self._room is not None:
            self._deleted(await delete_most(client, self._room, now.date()), "more than stores.retention.bytes")
        if outliers := await delete_old_outliers(client, before):
            _log.info("outliers_deleted", events=outliers)
            self.outliers_deleted += outliers

    def _deleted(self, indices: list[str], reason: str) -> None:
        self.indices_deleted += len(indices)
        if indices:
            _log.info("indices_deleted", indices=indices, reason=reason)


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it. Raises Refused."""
    return Indices(config)
