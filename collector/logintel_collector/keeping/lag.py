"""Lag: how far the collector's readers are behind on their topics, in time, before retention makes it a loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import structlog

from logintel.bus import kafka_lag
from logintel.bus.kafka_lag import Lag
from logintel.bus.topics import PROCESSING
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.roles import RoleName, reader_of
from logintel_collector.roles.role import Gauge
from logintel_collector.setting_up import GROUPS
from logintel_collector.stores import postgres, postgres_alerts

#: The share of a topic's retention beyond which lag is a danger.
DANGER: Final = 0.5
_REMEDY: Final = "start more collectors, mend what keeps them, or give the topic a longer retention.ms"
_log = structlog.get_logger(__name__)


class Lags(Chore):
    """By role. `in_danger`: those that were more than half of the retention behind at the last look."""

    name = "lag"
    every = 60.0

    def __init__(self, config: CollectorConfig) -> None:
        """Raises Refused."""
        super().__init__()
        if config.bus.kafka is None:
            raise Refused("role keeper needs bus.kafka: add it, or leave the role out of `roles`")
        self.lags: dict[RoleName, Lag] = {}
        self.in_danger: set[RoleName] = set()
        self._kafka, self._installation = config.bus.kafka, config.installation
        self._postgres = postgres.required(config, "keeper")

    def gauges(self) -> Iterator[Gauge]:
        """See Chore."""
        seconds: dict[str, float] = {role: lag.seconds for role, lag in self.lags.items()}
        records: dict[str, float] = {role: float(lag.records) for role, lag in self.lags.items()}
        yield Gauge("logintel_group_lag_seconds", "Age of the oldest of them, in seconds.", "role", seconds)
        yield Gauge("logintel_group_lag_records", "Records that a role has not read.", "role", records)

    async def keep(self) -> None:
        """See Chore."""
        for role, topic in GROUPS.items():
            await self._look(role, topic, await kafka_lag.committed(self._kafka, f"{self._installation}-{role}", topic))
        async with postgres.connected(self._postgres, "lag") as connection:
            offsets = await postgres_alerts.offsets(connection, reader_of(self._installation), PROCESSING.name)
        await self._look("alerter", PROCESSING.name, offsets)

    async def _look(self, role: RoleName, topic: str, offsets: dict[int, int]) -> None:
        """A role that nobody has set up is none that could be behind."""
        if not offsets:
            return
        lag = self.lags[role] = await kafka_lag.lag(self._kafka, topic, offsets)
        kept = await kafka_lag.retention(self._kafka, topic)
        danger = kept is not None and lag.seconds > DANGER * kept
        if danger and role not in self.in_danger:
            _log.error(
                "lag_passes_half_of_retention",
                role=role,
                topic=topic,
                lag_seconds=round(lag.seconds),
                retention_seconds=kept,
                remedy=_REMEDY,
            )
        (self.in_danger.add if danger else self.in_danger.discard)(role)


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it. Raises Refused."""
    return Lags(config)
