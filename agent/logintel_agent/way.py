"""Ways: how a source's events come to delivery: read from where they lie, or received and kept in a spool first."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logintel.bus import Producer
from logintel.event import Envelope
from logintel.source import Source
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.dead_letters import DeadLetters
from logintel_agent.delivery import Delivery
from logintel_agent.spool import Spool

if TYPE_CHECKING:
    from logintel_agent.processing.processing import Processing

#: Bytes that one source's spool may hold; when it is full its senders wait.
SPOOL_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True)
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

    @abstractmethod
    async def run(self, delivery: Delivery, *, once: bool) -> None:
        """Deliver until there is no more (in a run that ends), or until cancelled. Raises what the source raises."""


class Reading(Way):
    """A source that reads by itself."""

    async def run(self, delivery: Delivery, *, once: bool) -> None:  # noqa: ARG002 - the source knows it
        """See Way."""
        source = self.make()
        delivery.committed = source.committed
        await delivery.run(source.batches(self.checkpoint.cursors(self.name)))


@dataclass(frozen=True)
class Receiving(Way):
    """A source that is sent to: what it accepts is on disk before the sender is answered, and delivered from there."""

    directory: Path

    @property
    def name(self) -> str:
        """See Way. No source has such a name."""
        return f"{self.source}/spool"

    async def run(self, delivery: Delivery, *, once: bool) -> None:
        """See Way. In a run that ends nothing is received: what an earlier run kept is delivered."""
        spool = Spool(self.directory, SPOOL_BYTES)
        delivery.committed = spool.committed
        try:
            async with asyncio.TaskGroup() as group:
                if not once:
                    group.create_task(self.make().serve(spool.accept))
                group.create_task(delivery.run(spool.batches(self.checkpoint.cursors(self.name), once=once)))
        finally:
            await spool.close()
