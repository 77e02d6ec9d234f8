"""A source at work: its ways kept running, started again when they fail, stopped with what is on its way delivered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from logintel.refused import Refused
from logintel.source import SourceConfig, SourceContext
from logintel_agent.delivery import Delivery
from logintel_agent.way import Way

#: Seconds before a source that failed is started again: the first and the longest pause.
RESTART: Final = (1.0, 60.0)
#: Seconds that a stop waits for what is on its way.
STOP_DEADLINE: Final = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the source stopped, and when (UTC, ISO 8601)."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Events of a source: read (what was read again counts again), sent, acknowledged, dropped, dead letters."""

    read: int = 0
    sent: int = 0
    acknowledged: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dead_letters: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.read + other.read,
            self.sent + other.sent,
            self.acknowledged + other.acknowledged,
            self.dropped + other.dropped,
            self.dead_letters + other.dead_letters,
        )


def _counts(delivery: Delivery) -> Counts:
    return Counts(
        delivery.read_events,
        delivery.sent_events,
        delivery.acknowledged_events,
        delivery.dropped,
        delivery.dead_letters,
    )


@dataclass(slots=True)
class SourceRun:
    """Runs `ways` of the source that `config` describes until they end or `stop` is called.

    failure  what it last stopped for, if it ever did
    failures  how often it did
    waiting  whether it waits to be started again
    ended    whether it does nothing any more
    """

    config: SourceConfig
    ways: Sequence[Way]
    context: SourceContext
    failure: Failure | None = None
    failures: int = 0
    waiting: bool = False
    ended: bool = False
    _deliveries: dict[str, Delivery] = field(default_factory=dict)
    _before: Counts = field(default_factory=Counts)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def finished(self) -> bool:
        """Whether it has ended by itself, and not because it was stopped."""
        return self.ended and not self._stop.is_set()

    @property
    def deliveries(self) -> list[Delivery]:
        """Those that are at work, one of each way."""
        return list(self._deliveries.values())

    @property
    def counts(self) -> Counts:
        """Since the start."""
        return sum((_counts(delivery) for delivery in self.deliveries), start=self._before)

    async def run(self) -> None:
        """Until every way has ended (in a run that ends) or `stop` was called."""
        try:
            async with asyncio.TaskGroup() as group:
                for way in self.ways:
                    group.create_task(self._keep(way))
        finally:
            self.ended = True
            self._done.set()

    async def stop(self) -> None:
        """Stop reading; return when what was sent is acknowledged and saved, or the deadline has passed."""
        self._stop.set()
        await self._done.wait()

    async def save(self) -> None:
        """Make the cursors that moved durable."""
        for delivery in self.deliveries:
            await delivery.save()

    async def empty(self) -> None:
        """After `stop`, for a source that is gone: deliver what it had received and kept, within the deadline."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_DEADLINE):
                for way in self.ways:
                    await way.empty()

    async def _keep(self, way: Way) -> None:
        """Run one way; start it again from its cursors when it fails."""
        pause, longest = RESTART
        while not self._stop.is_set():
            delivery = self._delivery(way)
            try:
                await _until(self._stop, delivery, way.run(delivery, once=self.context.once))
            except Exception as error:  # noqa: BLE001 - a plugin is foreign code: whatever it raises, the others go on
                self._failed(error)
                if self.context.once:
                    return
                self.waiting = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause * random.uniform(0.5, 1)):  # noqa: S311 - only jitter
                        await self._stop.wait()
                self.waiting = False
                pause = min(2 * pause, longest)
            else:
                return

    def _delivery(self, way: Way) -> Delivery:
        before = self._deliveries.get(way.name)
        if before is not None:
            self._before += _counts(before)
        self._deliveries[way.name] = delivery = way.delivery()
        return delivery

    def _failed(self, error: Exception) -> None:
        name, reasons = self.config.name, list(_reasons(error))
        trace = None if all(isinstance(reason, Refused) for reason in reasons) else error
        _log.error("source_failed", source=name, error=type(reasons[0]).__name__, exc_info=trace)
        texts = [("" if isinstance(each, Refused) else f"{type(each).__name__}: ") + str(each) for each in reasons]
        self.failures += 1
        self.failure = Failure(datetime.now(UTC).isoformat(timespec="seconds"), "; ".join(texts))
        for text in texts:
            self.context.report(f"source {name}: {text}")


async def _until(stop: asyncio.Event, delivery: Delivery, work: Coroutine[Any, Any, None]) -> None:
    """Work until it ends or `stop` is set; then wait, within the deadline, for what was sent."""
    running = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        running.cancel()
        await asyncio.wait({running}, timeout=STOP_DEADLINE)
    if not running.done():
        _log.error("source_does_not_stop", source=delivery.source, waited=STOP_DEADLINE)
    elif not running.cancelled():
        running.result()
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
