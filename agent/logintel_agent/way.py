"""Ways: how a source's events come to delivery: read from where they lie, or received and kept in a spool first."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logintel.bus import Producer
from logintel.event import Envelope
from logintel.source import Source, SpoolConfig
from logintel.standing import Standing
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.dead_letters import DeadLetters
from logintel_agent.delivery import Delivery
from logintel_agent.spool import Spool

if TYPE_CHECKING:
    from logintel_agent.processing.processing import Processing


@dataclass
class Way(ABC):
    """One way of the source that is named `source`; `make` makes a new instance of it."""

    source: str
    make: Callable[[], Source]
    envelope: Envelope
    checkpoint: Checkpoint
    producer: Producer
    letters: DeadLetters
    processing: Processing | None

    @property
    def name(self) -> str:
        """Its own name in the checkpoint."""
        return self.source

    def delivery(self) -> Delivery:
        """A new delivery, which starts behind what is saved."""
        return Delivery(self.name, self.envelope, self.checkpoint, self.producer, self.letters, self.processing)

    @property
    def held_bytes(self) -> int:
        """Bytes that were received and wait on this host."""
        return 0

    @property
    def standing(self) -> Standing | None:
        """What its source says of itself; None: nothing."""
        return None

    async def empty(self) -> None:
        """Deliver what was received and kept, and receive no more. Raises what the bus raises."""
        return

    @abstractmethod
    async def run(self, delivery: Delivery, *, once: bool) -> None:
        """Deliver until there is no more (in a run that ends), or until cancelled. Raises what the source raises."""


@dataclass
class Reading(Way):
    """A source that reads by itself."""

    _reader: Source | None = None

    @property
    def standing(self) -> Standing | None:
        """See Way."""
        return self._reader.standing() if self._reader else None

    async def run(self, delivery: Delivery, *, once: bool) -> None:  # noqa: ARG002 - the source knows it
        """See Way."""
        self._reader = source = self.make()
        delivery.committed = source.committed
        await delivery.run(source.batches(self.checkpoint.cursors(self.name)))


@dataclass
class Receiving(Way):
    """A source that is sent to: what it accepts is on disk before the sender is answered, and delivered from there."""

    directory: Path
    room: SpoolConfig
    _spool: Spool | None = None

    @property
    def name(self) -> str:
        """See Way. No source has such a name."""
        return f"{self.source}/spool"

    @property
    def held_bytes(self) -> int:
        """See Way."""
        return self._spool.held_bytes if self._spool else 0

    async def run(self, delivery: Delivery, *, once: bool) -> None:
        """See Way. In a run that ends only what ends by itself is received; what an earlier run kept is delivered."""
        source = self.make()
        await self._deliver(delivery, None if once and not source.ends() else source)

    async def empty(self) -> None:
        """See Way."""
        await self._deliver(self.delivery(), None)

    async def _deliver(self, delivery: Delivery, source: Source | None) -> None:
        """What is kept, and what `source` receives."""
        spool = Spool(self.directory, int(self.room.max_bytes), drop_newest=self.room.when_full == "drop_newest")
        self._spool = spool
        delivery.committed = spool.committed
        try:
            async with asyncio.TaskGroup() as group:
                if source is None:
                    spool.finish()
                else:
                    group.create_task(_receive(source, spool))
                group.create_task(delivery.run(spool.batches(self.checkpoint.cursors(self.name))))
        finally:
            await spool.close()


async def _receive(source: Source, spool: Spool) -> None:
    await source.serve(spool.accept)
    spool.finish()
