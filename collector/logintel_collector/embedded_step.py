"""The embedded collector's step: a batch of the bus through every role, into the store, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

import structlog

from logintel.bus import Consumer, Stored
from logintel_collector.alert import Changes
from logintel_collector.alerter import Alerter
from logintel_collector.processor import Processed, Processor
from logintel_collector.stores.errors import StoreFull, StoreLocked
from logintel_collector.stores.sqlite import Store

#: Seconds between tries while the store has no room or is locked: doubled up to the second number.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_Result = TypeVar("_Result")
_log = structlog.get_logger(__name__)


class Step(NamedTuple):
    """What one step did. Everything up to `offset` is durable: the bus may delete it."""

    processed: Processed
    changes: Changes
    offset: int


class EmbeddedCollector:
    """The one writer. After an error or a cancelled step make a new one: alerter and repeat map have moved on.

    consumer  its `read` must lose nothing when it is cancelled (LocalConsumer's does not)
    stalled   why the store takes nothing at the moment; None: it does
    """

    def __init__(self, consumer: Consumer, processor: Processor, alerter: Alerter, store: Store) -> None:
        self._consumer = consumer
        self._processor = processor
        self._alerter = alerter
        self._store = store
        self._positions: dict[bytes, bytes] | None = None
        self.stalled: str | None = None

    async def step(self, limit: int) -> Step:
        """Wait for at least one and take at most `limit` records. Waits as long as the store is full or locked."""
        stored = await self._read(limit)
        if self._positions is None:
            self._positions = await self._patiently(self._store.positions)
        await self._processor.prepare(record.value for _, record in stored)
        processed = self._processor.process(stored, self._positions)
        self._positions.update(processed.positions)
        changes = self._alerter.evaluate(processed.documents)
        return await self._save(processed, changes, stored[-1].offset)

    async def settle(self) -> Step | None:
        """Save what time alone changes: alerts that are over. None: nothing. Call it now and then when it is quiet."""
        changes = self._alerter.settle()
        if not (changes.alerts or changes.states or changes.notifications):
            return None
        return await self._save(Processed(), changes, await self._patiently(self._store.offset))

    async def _read(self, limit: int) -> list[Stored]:
        """At least one record, and what else is there without waiting: one fsync is for all of them."""
        stored = list(await self._consumer.read(limit))
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                while len(stored) < limit:
                    stored += await self._consumer.read(limit - len(stored))
        return stored

    async def _save(self, processed: Processed, changes: Changes, offset: int) -> Step:
        await self._patiently(lambda: self._store.apply(processed, changes, offset))
        return Step(processed, changes, offset)

    async def _patiently(self, call: Callable[[], Awaitable[_Result]]) -> _Result:
        """What the store answers when it has room and nobody else has it locked, however long that takes."""
        pause = _FIRST_PAUSE
        while True:
            try:
                result = await call()
                break
            except (StoreFull, StoreLocked) as error:
                if self.stalled is None:
                    _log.warning("store_waits", reason=str(error))
                self.stalled = str(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        self.stalled = None
        return result
