"""Sources' health: agents' heartbeats on topic agent-status, judged, into log_sources and source_health."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Final

import asyncpg

from logintel.refused import Refused
from logintel_collector.agent_status import AgentStatusReader
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.chore import Chore
from logintel_collector.roles.role import Gauge
from logintel_collector.source_health import ORDER
from logintel_collector.source_health.clock import BrokerClock
from logintel_collector.source_health.rules import Rules
from logintel_collector.source_health.telling import tell
from logintel_collector.source_health.watch import Watch
from logintel_collector.stores import postgres, postgres_sources
from logintel_collector.stores.postgres_lease import Lease

#: Seconds between writes while nothing changes: last_health_check, and what `logintel sources` shows.
WRITE_EVERY: Final = 30.0
_KINDS: Final = frozenset({"agent", "config"})


class Health(Chore):
    """One keeper judges, who holds the lease; the others stand by. `changed`: how often a health has changed."""

    name = "health"
    every = 5.0

    def __init__(
        self, config: CollectorConfig, clock: Callable[[], BrokerClock] = BrokerClock, rules: Rules | None = None
    ) -> None:
        """`clock` makes one that starts when listening does. Raises Refused."""
        super().__init__()
        if config.bus.kafka is None:
            raise Refused("role keeper needs bus.kafka: agents report to it; add it, or leave the role out of `roles`")
        self.changed = 0
        self._kafka, self._installation = config.bus.kafka, config.installation
        self._postgres = postgres.required(config, "keeper")
        self._clock, self._rules = clock, rules or Rules()
        self._open = AsyncExitStack()
        self._connection: asyncpg.Connection | None = None
        self._lease: Lease | None = None
        self._reader: AgentStatusReader | None = None
        self._watch = Watch()
        self._written = float("-inf")

    def summary(self) -> dict[str, int]:
        """See Chore."""
        return {"health_changed": self.changed}

    def gauges(self) -> Iterator[Gauge]:
        """See Chore. Nothing while another keeper judges."""
        if self._lease is not None:
            counts = self._watch.counts()
            yield Gauge(
                "logintel_sources",
                "Sources, each on each of its hosts, by health.",
                "health",
                {health: float(counts[health]) for health in ORDER},
            )

    async def keep(self) -> None:
        """See Chore. Raises Refused where nobody has set the tables up."""
        if self._connection is None:
            self._connection = await self._open.enter_async_context(postgres.connected(self._postgres, "health"))
            await postgres.require_current(self._connection)
        if self._lease is None:
            self._lease = await Lease.try_take(self._connection, f"{self._installation}-health")
            if self._lease is None:
                return  # another keeper judges; when it ends, this one takes over
        if self._reader is None:
            await self._begin(self._connection)
        await self._hear(self._connection, self._lease)
        await self._judge(self._connection, self._lease)

    async def close(self) -> None:
        """See Chore. The next time begins from what is stored: heartbeats that came meanwhile are on the topic."""
        reader, self._reader, lease, self._lease = self._reader, None, self._lease, None
        if reader is not None:
            await reader.close()
        if lease is not None and self._connection is not None:
            await lease.release(self._connection)
        self._connection, stack, self._open = None, self._open, AsyncExitStack()
        await stack.aclose()

    async def _begin(self, connection: asyncpg.Connection) -> None:
        """From what another run has stored, and from the topic's beginning."""
        memories = await postgres_sources.memories(connection, self._installation)
        self._watch, self._written = Watch(memories, self._clock(), self._rules), float("-inf")
        self._reader = AgentStatusReader(self._kafka, self._installation)
        await self._reader.start()

    async def _hear(self, connection: asyncpg.Connection, lease: Lease) -> None:
        """All news; the lease is held meanwhile, however many they are."""
        assert self._reader is not None
        async with connection.transaction():
            await lease.renew(connection)
        async for portion in self._reader.news():
            for record in portion:
                if record.kind in _KINDS:
                    self._watch.hear(record.host, record.name, record.kind, record.values(), record.at)
            async with connection.transaction():
                await lease.renew(connection)

    async def _judge(self, connection: asyncpg.Connection, lease: Lease) -> None:
        changes = self._watch.judge()
        listened = self._watch.clock.listened
        if not changes and listened - self._written < WRITE_EVERY:
            return
        async with connection.transaction():
            await lease.renew(connection)
            await postgres_sources.save(connection, self._installation, self._watch.findings())
        self._written = listened
        self.changed += len(changes)
        tell(changes)


def build(config: CollectorConfig) -> Chore:
    """The chore as a configuration describes it. Raises Refused."""
    return Health(config)
