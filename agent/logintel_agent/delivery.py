"""Delivery: pulls one source's batches, sends them in order, and moves its cursors when the bus has them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog

from logintel.batch import Batch, Cursor
from logintel.bus import Producer
from logintel.event import Envelope
from logintel.identity import new_stream_id
from logintel.source import InputExhausted
from logintel_agent.checkpoint import Checkpoint, Mark
from logintel_agent.outgoing import outgoing

#: Batches of one source that may be on their way at once: what a kill makes us send again, and what memory holds.
DEPTH: Final = 8
#: Seconds between tries to save a checkpoint on a disk that refuses it.
_RETRY: Final = 1.0

_log = structlog.get_logger(__name__)

Committed = Callable[[str, Cursor], Awaitable[None]]


class _Sent(NamedTuple):
    stream: str
    mark: Mark | None
    acknowledged: asyncio.Future[None]


@dataclass(slots=True)
class Delivery:
    """The way of one source's batches to the bus.

    `run` ends with the batches. Cancelling it is safe at any time: cursors only move behind acknowledged events, and
    what was sent but not acknowledged is sent again under the same ids.
    """

    source: str
    envelope: Envelope
    checkpoint: Checkpoint
    producer: Producer
    committed: Committed | None = None
    sent_events: int = 0
    _sent: deque[_Sent] = field(default_factory=deque)
    _marks: dict[str, Mark] = field(default_factory=dict)
    _promised: set[str] = field(default_factory=set)
    _acknowledged: dict[str, Cursor] = field(default_factory=dict)

    async def run(self, batches: AsyncGenerator[Batch, None]) -> None:
        """Deliver until the batches end and all is acknowledged. Raises what the source or the bus raises."""
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
            await self._sent[0].acknowledged
            self._settle()
        await self.save()

    async def save(self) -> None:
        """Make the cursors of what is acknowledged durable, and tell the source. A full disk is waited out."""
        acknowledged, self._acknowledged = self._acknowledged, {}
        while True:
            try:
                await self.checkpoint.save()
                break
            except OSError as error:
                _log.error("checkpoint_not_saved", source=self.source, reason=str(error), retry_in=_RETRY)
                await asyncio.sleep(_RETRY)
        if self.committed:
            for stream, cursor in acknowledged.items():
                await self.committed(stream, cursor)

    async def _wait(self, pulling: asyncio.Future[Batch]) -> None:
        """Until there is another batch to send (and room for it), or the oldest one sent is acknowledged."""
        waits: set[asyncio.Future[Batch] | asyncio.Future[None]] = {pulling} if len(self._sent) < DEPTH else set()
        if self._sent:
            waits.add(self._sent[0].acknowledged)
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)

    def _settle(self) -> None:
        """Move the cursors of what is acknowledged, in the order in which it was sent."""
        while self._sent and self._sent[0].acknowledged.done():
            stream, mark, acknowledged = self._sent[0]
            acknowledged.result()
            self._sent.popleft()
            self.checkpoint.record(self.source, stream, mark)
            if mark is not None:
                self._acknowledged[stream] = mark.cursor

    async def _send(self, batch: Batch) -> None:
        mark = self._marks.get(batch.stream) or await self._first(batch)
        if not batch.events:
            self._promised.add(batch.stream)
            self._note(batch, outgoing(batch, mark, self.envelope)[1], _done())
            return
        if batch.stream in self._promised:
            await self._keep_promise(batch.stream)
        records, mark = outgoing(batch, mark, self.envelope)
        acknowledged = asyncio.ensure_future(await self.producer.send(records, mark.partition))
        self.sent_events += len(records)
        self._note(batch, mark, acknowledged)

    def _note(self, batch: Batch, mark: Mark, acknowledged: asyncio.Future[None]) -> None:
        if batch.ended:
            self._marks.pop(batch.stream, None)
            self._promised.discard(batch.stream)
        else:
            self._marks[batch.stream] = mark
        self._sent.append(_Sent(batch.stream, None if batch.ended else mark, acknowledged))

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
            await self._sent[0].acknowledged
            self._settle()
        await self.save()
        self._promised.discard(stream)


def _born(batch: Batch) -> Mark:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Mark(new_stream_id().hex(), None, 0, batch.stamp or now, "mtime" if batch.stamp else "received")


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
