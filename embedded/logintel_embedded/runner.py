"""The runner: agent, bus, collector and notifier in one process, over one data directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from logintel.bus.local import LocalBus
from logintel.config.problem import Misconfigured
from logintel.config.version import config_version
from logintel.hooks import Plugins
from logintel.locking import DirectoryLock, DirectoryLocked
from logintel.refused import Refused
from logintel.source import SourceContext
from logintel_agent.agent import Agent
from logintel_agent.dead_letters import LETTERS, DeadLetters
from logintel_collector.alerter import Alerter
from logintel_collector.embedded_step import EmbeddedCollector, Step
from logintel_collector.enrichment.building import enrichment_of
from logintel_collector.notifier.channel import Channel, channels_from
from logintel_collector.notifier.relay import Relay
from logintel_collector.processor import Processor
from logintel_collector.rules.loading import load_rules
from logintel_collector.rules.rule import Rule
from logintel_collector.stores.errors import StoreError, StoreFull, StoreLocked
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_retention import Retention
from logintel_embedded.analysing import Analysing
from logintel_embedded.config import EmbeddedConfig
from logintel_embedded.health import SourcesHealth
from logintel_embedded.tally import Tally

#: Records in one step of the collector: one transaction.
STEP: Final = 2000
#: Seconds between looks for alerts that are over, for documents that are too old, and for the end of the run.
SETTLE_EVERY: Final = 5.0
EXPIRE_EVERY: Final = 60.0
LOOK_EVERY: Final = 0.02
#: Seconds that a stop waits for the store to take what is on the bus.
STOP_DEADLINE: Final = 10.0
#: Seconds that the end of a run gives the notifier; what it has not told by then is told by the next run.
NOTIFY_DEADLINE: Final = 10.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Embedded:
    """One run. `data` is the directory that everything is kept in.

    tally  what happened; filled while it runs
    log    stands in for the notifier's log
    """

    config: EmbeddedConfig
    data: Path
    plugins: Plugins
    context: SourceContext
    tally: Tally = field(default_factory=Tally)
    log: Channel | None = None
    total_indexed: int = 0
    _agent: Agent | None = None
    _relay: Relay | None = None
    _ending: bool = False

    @property
    def sent(self) -> int:
        """Events that the agent has read in this run."""
        return self._agent.events_sent if self._agent else 0

    async def run(self, stop: asyncio.Event) -> None:
        """Run until the end of the input (in a run that ends), or until `stop` is set and what was read is stored.

        Raises Refused (a lock, a directory, a damaged store) and Misconfigured (rules).
        """
        rules = self._rules()
        async with self._opened() as (bus, store):
            await store.save_rules(rules)
            offset = await store.offset()
            consumer = bus.consumer(offset or 0)
            alerts = await store.open_alerts()
            self.tally.known_alerts = frozenset(alert.id for alert in alerts)
            alerter = Alerter(rules, await store.rule_states(), alerts, _now)
            processor = Processor(_now, enrichment=enrichment_of(self.config.enrich, self.plugins))
            collector = EmbeddedCollector(consumer, processor, alerter, store)
            self._agent = Agent(
                self.config.agent.data_dir,
                self.config.installation,
                self.config.sources,
                self.plugins,
                bus.producer(),
                self.context,
                self._letters(),
                self.config.agent.redaction,
            )
            await self._work(stop, bus, store, collector)
            self.total_indexed = await store.total_indexed()

    async def _work(self, stop: asyncio.Event, bus: LocalBus, store: Store, collector: EmbeddedCollector) -> None:
        assert self._agent is not None
        async with asyncio.TaskGroup() as group:
            collecting = group.create_task(self._collect(collector, bus))
            expiring = group.create_task(self._expire(store))
            notifying = group.create_task(self._notify(store))
            health = SourcesHealth(self.config, self._agent, store)
            watching = group.create_task(health.run())
            analysing = Analysing(store, self.config.analytics.values, _now)
            counting = group.create_task(analysing.run())
            await self._agent.run(stop)
            watching.cancel()
            self.tally.add_dropped(self._agent.dropped)
            await self._drained(bus, stop)
            collecting.cancel()
            expiring.cancel()
            await health.last()
            analysing.finish()
            await self._told(notifying)
            await _until(stop, counting)
        if bus.damage.records:
            self.context.report(f"{bus.damage.records} events on the bus were damaged on disk and could not be read")

    async def _collect(self, collector: EmbeddedCollector, bus: LocalBus) -> None:
        """Step after step; when it is quiet, let time end what is over. A step is never cancelled but by the end."""
        stepping = asyncio.create_task(collector.step(STEP))
        try:
            while True:
                await asyncio.wait({stepping}, timeout=SETTLE_EVERY)
                if stepping.done():
                    self._count(stepping.result(), bus)
                    stepping = asyncio.create_task(collector.step(STEP))
                elif not bus.lag().records and (settled := await collector.settle()):
                    self._count(settled, bus)
        finally:
            stepping.cancel()

    def _count(self, step: Step, bus: LocalBus) -> None:
        self.tally.add(step)
        bus.release(step.offset)
        if step.changes.notifications and self._relay:
            self._relay.wake()

    async def _told(self, notifying: asyncio.Task[None]) -> None:
        """Until all that is due is told; what is not told in time stays in the outbox for the next run."""
        self._ending = True
        if self._relay:
            self._relay.finish()
        _, late = await asyncio.wait({notifying}, timeout=NOTIFY_DEADLINE)
        if late:
            _log.warning("notifications_left", effect="the next run tells them")
            notifying.cancel()

    async def _drained(self, bus: LocalBus, stop: asyncio.Event) -> None:
        """Until everything on the bus is stored; after a stop not longer than the deadline, since the bus keeps it."""
        waited = 0.0
        while bus.lag().records and waited < STOP_DEADLINE:
            await asyncio.sleep(LOOK_EVERY)
            waited += LOOK_EVERY if stop.is_set() else 0

    async def _expire(self, store: Store) -> None:
        """Delete what is too old or too much, in small portions, so that a look at /var/log never fills a disk."""
        retention = Retention(self.config.stores.retention.days, int(self.config.stores.retention.bytes))
        while True:
            pause = EXPIRE_EVERY
            try:
                if await store.expire(retention) or await store.give_back():
                    pause = LOOK_EVERY
            except (StoreFull, StoreLocked) as error:
                _log.warning("retention_waits", reason=str(error))
            await asyncio.sleep(pause)

    async def _notify(self, store: Store) -> None:
        """Tell of alerts; a store that takes nothing for a while stops it only so long."""
        while True:
            self._relay = Relay(store, channels_from(self.config.notify, self.log), _now)
            if self._ending:
                self._relay.finish()
            try:
                await self._relay.run()
            except* (StoreFull, StoreLocked) as errors:
                _log.warning("notifier_waits", reason=str(errors.exceptions[0]))
            if self._ending:
                return
            await asyncio.sleep(SETTLE_EVERY)

    def _letters(self) -> DeadLetters:
        directory = self.config.agent.data_dir / "worker-0" / LETTERS
        return DeadLetters(directory, self.config.agent.dead_letters, lambda: config_version(self.config))

    def _rules(self) -> list[Rule]:
        if self.config.rules_dir is None:
            return []
        rules, problems = load_rules(self.config.rules_dir, self.config.installation, _now)
        if problems:
            raise Misconfigured(problems)
        return rules

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[LocalBus, Store]]:
        """The locked data directory, its bus and its store."""
        try:
            lock = DirectoryLock(self.data)
        except DirectoryLocked as error:
            raise Refused(f"{error} with --data") from error
        except OSError as error:
            raise Refused(f"data directory {self.data}: {error.strerror}: name another one with --data") from error
        try:
            local = self.config.bus.local
            async with LocalBus(local.dir, int(local.max_bytes)) as bus:
                store = await Store.open(self.config.stores.sqlite.path, _now)
                try:
                    yield bus, store
                finally:
                    await store.close()
        except StoreError as error:
            raise Refused(str(error)) from error
        finally:
            lock.release()


async def _until(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Until it is done, or a stop leaves the rest of it to the next run."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    work.cancel()


def _now() -> datetime:
    return datetime.now(UTC)
