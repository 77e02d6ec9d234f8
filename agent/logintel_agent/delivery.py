"""Delivery: pulls one source's batches, sends them in order, and moves its cursors when the bus has them.

With each cursor goes what became of the events before it (logintel_agent.ledger).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from logintel.batch import Batch, Cursor
from logintel.bus import Producer
from logintel.event import Envelope
from logintel.identity import new_stream_id
from logintel.source import InputExhausted
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.dead_letters import REFUSED, DeadLetters
from logintel_agent.ledger import Settled
from logintel_agent.mark import Mark
from logintel_agent.outgoing import outgoing
from logintel_agent.settling import refusals, settled_by

if TYPE_CHECKING:
    from logintel_agent.processing.processing import Processing

#: Batches of one source that may be on their way at once: what a kill makes us send again, and what memory holds.
DEPTH: Final = 8
#: Seconds between tries to save a checkpoint on a disk that refuses it.
_RETRY: Final = 1.0
_UNSAVED: Final = "make room or mend the disk: it tries again every second; nothing is lost, a kill now repeats more"
#: Seconds between looks at a limit that will not let anything go for long: the clock may be set meanwhile.
_LOOK: Final = 60.0

_log = structlog.get_logger(__name__)

Committed = Callable[[str, Cursor], Awaitable[None]]


class _Sent(NamedTuple):
    """A batch on its way; `settled`: what becomes of it when it is acknowledged, None where it had no events."""

    stream: str
    mark: Mark
    acknowledged: asyncio.Future[None]
    settled: Settled | None
    ended: bool


@dataclass(slots=True)
class Delivery:
    """The way of one source's batches to the bus.

    `run` ends with the batches. Cancelling it is safe at any time: cursors only move behind acknowledged events, and
    what was sent but not acknowledged is sent again under the same ids.

    read_events  events that the source handed over
    moved        when something was acknowledged, or pulled after a time in which nothing waited (monotonic seconds)
    dropped      events that the processing dropped, by reason
    dead_letters  events that were kept as dead letters
    last_event   timestamp of the last event that was acknowledged
    last_read    when an event was last pulled (seconds since 1970)
    """

    source: str
    envelope: Envelope
    checkpoint: Checkpoint
    producer: Producer
    letters: DeadLetters
    processing: Processing | None = None
    committed: Committed | None = None
    read_events: int = 0
    sent_events: int = 0
    acknowledged_events: int = 0
    moved: float = field(default_factory=time.monotonic)
    last_event: str | None = None
    last_read: float | None = None
    dead_letters: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    _sending: bool = False
    _sent: deque[_Sent] = field(default_factory=deque)
    _marks: dict[str, Mark] = field(default_factory=dict)
    _promised: set[str] = field(default_factory=set)
    _acknowledged: dict[str, Cursor] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)

    async def run(self, batches: AsyncGenerator[Batch, None]) -> None:
        """Deliver until the batches end and all is acknowledged. Raises what the source or the bus raises."""
        self.checkpoint.nothing_waits(self.source)
        async with aclosing(batches):
            pulling = asyncio.ensure_future(anext(batches))
            try:
                while True:
                    await self._wait(pulling)
                    self._settle()
                    if pulling.done() and len(self._sent) < DEPTH:
                        await self._send(pulling.result())
                        pulling = asyncio.ensure_future(anext(batches))
            except (StopAsyncIteration, InputExhausted):
                pass  # the end of the input
            finally:
                pulling.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await pulling
        await self.drain()

    async def drain(self) -> None:
        """Wait until everything sent is acknowledged, and save."""
        while self._sent:
            await self._oldest()
        await self.save()

    async def save(self) -> None:
        """Make the cursors of what is acknowledged durable, and tell the source. A full disk is waited out."""
        acknowledged, self._acknowledged = self._acknowledged, {}
        refused = None
        while True:
            try:
                await self.checkpoint.save()
                break
            except OSError as error:
                if str(error) != refused:
                    refused = str(error)
                    _log.error("checkpoint_not_saved", source=self.source, reason=refused, effect=_UNSAVED)
                await asyncio.sleep(_RETRY)
        if refused:
            _log.info("checkpoint_saved", source=self.source)
        if self.committed:
            for stream, cursor in acknowledged.items():
                await self.committed(stream, cursor)

    @property
    def waits(self) -> bool:
        """Whether anything was pulled that is not acknowledged, be it only news of a stream."""
        return self._sending or bool(self._sent)

    @property
    def waiting_events(self) -> int:
        """Events that were pulled and are not acknowledged."""
        return sum(self._waiting.values())

    async def _wait(self, pulling: asyncio.Future[Batch]) -> None:
        """Until there is another batch to send (and room for it), or the oldest one sent is acknowledged."""
        waits: set[asyncio.Future[Batch] | asyncio.Future[None]] = {pulling} if len(self._sent) < DEPTH else set()
        if self._sent:
            waits.add(self._sent[0].acknowledged)
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)

    async def _oldest(self) -> None:
        """Until the oldest batch sent is acknowledged. Who is cancelled here leaves the answer to who waits next."""
        await asyncio.wait({self._sent[0].acknowledged})
        self._settle()

    def _settle(self) -> None:
        """Move the cursors of what is acknowledged, in the order in which it was sent."""
        while self._sent and self._sent[0].acknowledged.done():
            stream, mark, acknowledged, settled, ended = self._sent[0]
            acknowledged.result()
            self._sent.popleft()
            self.moved = time.monotonic()
            if settled is not None:
                # The bus counts as delivered also what it refused and we have kept.
                settled = settled.refused(REFUSED, self.letters.refused(bytes.fromhex(mark.id), settled.last))
                self.acknowledged_events += settled.acknowledged
                self.last_event = mark.stamp
                self.dead_letters += sum(settled.dead_letters.values())
                if settled.dropped:
                    self.dropped.update(settled.dropped)
                self._wait_for(stream, -settled.read)
            self.checkpoint.record(self.source, stream, mark, settled)
            if ended:
                self.checkpoint.record(self.source, stream, None)
                self._waiting.pop(stream, None)
            else:
                self._acknowledged[stream] = mark.cursor

    def _wait_for(self, stream: str, events: int) -> None:
        waiting = self._waiting[stream] = self._waiting.get(stream, 0) + events
        self.checkpoint.waits(self.source, stream, waiting)

    async def _send(self, batch: Batch) -> None:
        if not self._sent:
            self.moved = time.monotonic()
        self._sending = True
        mark = self._marks.get(batch.stream) or await self._first(batch)
        if not batch.events:
            self._promised.add(batch.stream)
            self._note(batch, outgoing(batch, mark, self.envelope).mark, _done(), None)
            return
        if batch.stream in self._promised:
            await self._keep_promise(batch.stream)
        out = outgoing(batch, mark, self.envelope, self.processing)
        settled = settled_by(out, out.mark.count - mark.count)
        self._wait_for(batch.stream, settled.read)
        if out.cut or out.dropped:  # what must stay on this host is on its disk before the rest leaves
            await self.letters.keep_all(bytes.fromhex(mark.id), refusals(out))
        if self.processing is not None:
            await self._admitted(self.processing)
        acknowledged = _done()
        if out.records:
            acknowledged = asyncio.ensure_future(await self.producer.send(out.records, mark.partition))
        self.read_events += settled.read
        self.last_read = time.time()
        self.sent_events += len(out.records)
        self._note(batch, out.mark, acknowledged, settled)

    async def _admitted(self, processing: Processing) -> None:
        """Until the source's limits let it go; what is acknowledged meanwhile is settled."""
        while (pause := min(processing.wait(), _LOOK)) > 0:
            if self._sent:
                await asyncio.wait({self._sent[0].acknowledged}, timeout=pause)
                self._settle()
            else:
                await asyncio.sleep(pause)

    def _note(self, batch: Batch, mark: Mark, acknowledged: asyncio.Future[None], settled: Settled | None) -> None:
        self._sending = False
        if batch.ended:
            self._marks.pop(batch.stream, None)
            self._promised.discard(batch.stream)
        else:
            self._marks[batch.stream] = mark
        self._sent.append(_Sent(batch.stream, mark, acknowledged, settled, batch.ended))

    async def _first(self, batch: Batch) -> Mark:
        """Where a stream that this run has not seen goes on. Its id and partition are on disk before it sends."""
        known = self.checkpoint.mark(self.source, batch.stream)
        mark = known or _born(batch)
        if batch.identity is not None and mark.id != batch.identity.hex():
            mark = replace(mark, id=batch.identity.hex())  # known under another: the checkpoint came from elsewhere
        if mark.partition is None:
            mark = replace(mark, partition=await self.producer.place(bytes.fromhex(mark.id)))
        if mark != known:
            self.checkpoint.record(self.source, batch.stream, mark)
            self._promised.add(batch.stream)
        return mark

    async def _keep_promise(self, stream: str) -> None:
        """What the stream announced (its birth, a cut) is made durable before its events leave."""
        while any(sent.stream == stream for sent in self._sent):
            await self._oldest()
        await self.save()
        self._promised.discard(stream)


def _born(batch: Batch) -> Mark:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Mark(new_stream_id().hex(), None, 0, batch.stamp or now, "mtime" if batch.stamp else "received")


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
