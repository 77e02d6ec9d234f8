"""The notifier role: what the alerter left in the outbox, to topic alerts, index engineering_alerts and people."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from logintel.bus.topics import ALERTS, Topic
from logintel_collector.config import CollectorConfig
from logintel_collector.notifier.channel import Channel, channels_from
from logintel_collector.notifier.relay import Relay
from logintel_collector.notifier.topic import TopicChannel
from logintel_collector.roles import RoleName
from logintel_collector.roles.role import Role
from logintel_collector.stores import postgres
from logintel_collector.stores.postgres_lease import Lease
from logintel_collector.stores.postgres_outbox import PostgresOutbox

#: Seconds between renewals of the lease with a look at what is due, and between looks for what everybody was told of.
_LOOK_EVERY: Final = 0.5
_EXPIRE_EVERY: Final = 600.0
#: Seconds that the channels have to end after a stop; what is not told by then the next run tells.
_DEADLINE: Final = 10.0
_log = structlog.get_logger(__name__)


class NotifierRole(Role):
    """`told` and `failures`: attempts of this run. Tells at least once; a second notifier is refused, or both would."""

    name: RoleName = "notifier"

    def __init__(self, config: CollectorConfig, topic: Topic = ALERTS) -> None:
        """Raises Refused."""
        assert config.bus.kafka is not None
        super().__init__()
        self.failures = 0
        self._config, self._kafka, self._topic = config, config.bus.kafka, topic
        self._lease = f"{config.installation}-{self.name}"
        self._postgres = postgres.required(config, self.name)

    def summary(self) -> dict[str, int]:
        """See Role."""
        return {"told": self.progress.done, "failures": self.failures}

    async def run(self, stop: asyncio.Event) -> None:
        """See Role. Raises Refused where another notifier is at work, or nobody has set the tables up."""
        async with postgres.connected(self._postgres, self.name) as connection:
            await postgres.require_current(connection)
            lease = await Lease.take(connection, self._lease)
            outbox = PostgresOutbox(connection, lease)
            try:
                await self._work(outbox, stop)
            finally:
                self._count(outbox)
                await lease.release(connection)

    async def _work(self, outbox: PostgresOutbox, stop: asyncio.Event) -> None:
        channels = self._channels()
        relay = Relay(outbox, channels, lambda: datetime.now(UTC))
        async with asyncio.TaskGroup() as group:
            relaying = group.create_task(relay.run())
            watching = group.create_task(self._watch(outbox, [channel.name for channel in channels]))
            await stop.wait()
            relay.finish()
            _, late = await asyncio.wait({relaying}, timeout=_DEADLINE)
            if late:
                _log.warning("notifications_left", effect="the next run tells them")
                relaying.cancel()
            watching.cancel()

    async def _watch(self, outbox: PostgresOutbox, channels: list[str]) -> None:
        """Hold the lease, see how much is due, and forget what was told."""
        expired = None
        while True:
            asked = self.progress.now()
            await outbox.renew()
            due = await outbox.due(channels)
            self.progress.saw(due, asked)
            self.progress.trouble = None
            self._count(outbox)
            if expired is None or asked - expired > _EXPIRE_EVERY:
                await outbox.expire(channels)
                expired = asked
            await asyncio.sleep(_LOOK_EVERY)

    def _count(self, outbox: PostgresOutbox) -> None:
        self.progress.done += outbox.told
        self.failures += outbox.failures
        outbox.told = outbox.failures = 0

    def _channels(self) -> list[Channel]:
        channels = [*channels_from(self._config.notify), TopicChannel(self._kafka, self._topic)]
        if self._config.stores.elasticsearch:
            from logintel_collector.notifier.index import IndexChannel  # noqa: PLC0415 - only who has one needs it

            channels.append(IndexChannel(self._config.stores.elasticsearch))
        return channels


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused."""
    return NotifierRole(config)
