"""The agent: one supervisor that starts every configured source and keeps it delivering."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from logintel.bus import Producer
from logintel.hooks import Plugins
from logintel.refused import Refused
from logintel.source import SourceConfig, SourceContext, envelope
from logintel_agent.checkpoint import Checkpoint, machine_id
from logintel_agent.delivery import Delivery
from logintel_agent.way import Reading, Receiving, Way

#: Seconds between saves of the cursors that moved: what a kill makes us read again.
SAVE_EVERY: Final = 0.5
#: Seconds before a source that failed is started again: the first and the longest pause.
RESTART: Final = (1.0, 60.0)
#: Seconds that a stop waits for what is on its way.
STOP_DEADLINE: Final = 10.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Agent:
    """Collects from `sources` and sends to `producer`, remembering in `directory` how far it got."""

    directory: Path
    installation: str
    sources: Sequence[SourceConfig]
    plugins: Plugins
    producer: Producer
    context: SourceContext
    _deliveries: list[Delivery] = field(default_factory=list)

    @property
    def events_sent(self) -> int:
        """Events handed to the bus since the start."""
        return sum(delivery.sent_events for delivery in self._deliveries)

    async def run(self, stop: asyncio.Event) -> None:
        """Until every source has ended (in a run that ends) or `stop` is set; then what is on its way is waited for."""
        worker = self.directory / "worker-0"
        worker.mkdir(parents=True, exist_ok=True, mode=0o700)
        checkpoint = Checkpoint(worker / "checkpoint", machine_id())
        try:
            async with asyncio.TaskGroup() as group:
                saving = group.create_task(self._save_regularly())
                running = [
                    group.create_task(self._keep(way, stop))
                    for config in self.sources
                    for way in self._ways(config, checkpoint, worker)
                ]
                await asyncio.gather(*running)
                saving.cancel()
        finally:
            checkpoint.close()

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            for delivery in list(self._deliveries):
                await delivery.save()

    def _ways(self, config: SourceConfig, checkpoint: Checkpoint, worker: Path) -> Iterator[Way]:
        """How the source's events come to the bus: read, received, or both."""
        make = partial(self.plugins.sources[config.type], config, self.context)
        source = make()
        common = make, envelope(config, self.installation, host_local=source.host_local), checkpoint, self.producer
        if source.replayable():
            yield Reading(config.name, *common)
        if source.pushed():
            yield Receiving(config.name, *common, worker / "spool" / config.name, config.spool)

    async def _keep(self, way: Way, stop: asyncio.Event) -> None:
        """Run one way of one source; start it again from its cursors when it fails."""
        pause, longest = RESTART
        while not stop.is_set():
            delivery = way.delivery()
            self._deliveries.append(delivery)
            try:
                await _until(stop, delivery, way.run(delivery, once=self.context.once))
            except Exception as error:  # noqa: BLE001 - a plugin is foreign code: whatever it raises, the others go on
                self._failed(way.source, error)
                if self.context.once:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause * random.uniform(0.5, 1)):  # noqa: S311 - only jitter
                        await stop.wait()
                pause = min(2 * pause, longest)
            else:
                return

    def _failed(self, name: str, error: Exception) -> None:
        reasons = list(_reasons(error))
        trace = None if all(isinstance(reason, Refused) for reason in reasons) else error
        _log.error("source_failed", source=name, error=type(reasons[0]).__name__, exc_info=trace)
        for reason in reasons:
            kind = "" if isinstance(reason, Refused) else f"{type(reason).__name__}: "
            self.context.report(f"source {name}: {kind}{reason}")


async def _until(stop: asyncio.Event, delivery: Delivery, work: Coroutine[Any, Any, None]) -> None:
    """Work until it ends or `stop` is set; then wait, within the deadline, for what was sent."""
    running = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    if stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_DEADLINE):
                await delivery.drain()


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """The errors inside groups of errors (a source's task groups make them)."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _reasons(inner)
    else:
        yield error
