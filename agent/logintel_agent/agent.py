"""The agent: one supervisor that starts every configured source and keeps it delivering."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from logintel.bus import Producer
from logintel.event import Envelope, Json
from logintel.hooks import Plugins
from logintel.identity import source_id
from logintel.source import Source, SourceConfig, SourceContext
from logintel_agent.checkpoint import Checkpoint, machine_id
from logintel_agent.delivery import Delivery

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
    _deliveries: dict[str, Delivery] = field(default_factory=dict)

    @property
    def events_sent(self) -> int:
        """Events handed to the bus since the start."""
        return sum(delivery.sent_events for delivery in self._deliveries.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Until every source has ended (in a run that ends) or `stop` is set; then what is on its way is waited for."""
        worker = self.directory / "worker-0"
        worker.mkdir(parents=True, exist_ok=True, mode=0o700)
        checkpoint = Checkpoint(worker / "checkpoint", machine_id())
        try:
            async with asyncio.TaskGroup() as group:
                saving = group.create_task(self._save_regularly())
                running = [group.create_task(self._keep(config, checkpoint, stop)) for config in self.sources]
                await asyncio.gather(*running)
                saving.cancel()
        finally:
            checkpoint.close()

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            for delivery in list(self._deliveries.values()):
                await delivery.save()

    async def _keep(self, config: SourceConfig, checkpoint: Checkpoint, stop: asyncio.Event) -> None:
        """Run one source; start it again from its cursors when it fails."""
        pause, longest = RESTART
        while not stop.is_set():
            source = self.plugins.sources[config.type](config, self.context)
            delivery = self._delivery(source, config, checkpoint)
            try:
                await _until(stop, delivery, source, checkpoint)
            except Exception as error:  # noqa: BLE001 - a plugin is foreign code: whatever it raises, the others go on
                self._failed(config.name, error)
                if self.context.once:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause * random.uniform(0.5, 1))  # noqa: S311 - only jitter
                pause = min(2 * pause, longest)
            else:
                return

    def _failed(self, name: str, error: Exception) -> None:
        _log.error("source_failed", source=name, error=type(error).__name__, exc_info=error)
        self.context.report(f"source {name}: {type(error).__name__}: {error}")

    def _delivery(self, source: Source, config: SourceConfig, checkpoint: Checkpoint) -> Delivery:
        known = self._deliveries.get(config.name)
        delivery = Delivery(
            config.name, envelope(source, config, self.installation), checkpoint, self.producer, source.committed
        )
        delivery.sent_events = known.sent_events if known else 0
        self._deliveries[config.name] = delivery
        return delivery


def envelope(source: Source, config: SourceConfig, installation: str) -> Envelope:
    """What every event of the source carries."""
    host = config.host or socket.gethostname()
    metadata: dict[str, Json] = {
        "source_type": config.type,
        "source": config.name,
        "host": host,
        "service": config.service or config.name,
    }
    if config.environment:
        metadata["environment"] = config.environment
    identity = source_id(installation, config.name, host if source.host_local else None)
    return Envelope(identity, metadata, config.tags)


async def _until(stop: asyncio.Event, delivery: Delivery, source: Source, checkpoint: Checkpoint) -> None:
    """Deliver until the source ends or `stop` is set; then wait, within the deadline, for what was sent."""
    running = asyncio.ensure_future(delivery.run(source.batches(checkpoint.cursors(delivery.source))))
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
            await asyncio.wait_for(delivery.drain(), STOP_DEADLINE)
