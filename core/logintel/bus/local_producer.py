"""The producer of the local bus: waits for room, and writes again in order what a failing disk refused."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from logintel.batch import Full
from logintel.bus import Record
from logintel.bus.local_record import pack
from logintel.bus.segment_log import LogFull, SegmentLog

#: Seconds between two tries while the disk takes nothing.
_PAUSE: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Block:
    """Records of one `send`; `durable` is the log's word for the last try, `done` what the sender waits for."""

    payloads: list[bytes]
    done: asyncio.Future[None]
    durable: asyncio.Future[None] | None = None

    @property
    def refused(self) -> bool:
        """Whether the log does not hold it: not tried yet, or taken back."""
        return self.durable is None or (self.durable.done() and self.durable.exception() is not None)


class LocalProducer:
    """A Producer over a segment log. What `send` took is written until it is on disk, whatever the disk says."""

    def __init__(self, log: SegmentLog) -> None:
        self._log = log
        self._blocks: deque[_Block] = deque()
        self._turn = asyncio.Lock()
        self._again: asyncio.Task[None] | None = None

    async def place(self, stream: bytes) -> None:
        """See Producer."""

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:  # noqa: ARG002
        """See Producer. Waits while the log is full or the disk is; a cancelled call leaves nothing behind."""
        block = _Block(pack(records), asyncio.get_running_loop().create_future())
        async with self._turn:
            self._blocks.append(block)
            try:
                await self._write()
            except BaseException:
                if block.durable is None:
                    self._blocks.remove(block)
                raise
        return block.done

    async def close(self) -> None:
        """Stop trying to write what the disk refused."""
        if self._again is not None:
            self._again.cancel()
            await asyncio.wait([self._again])

    async def _write(self) -> None:
        """Write every block that the log does not hold, oldest first, so that none overtakes another."""
        troubled = False
        while True:
            try:
                # Nothing is awaited between the look and the append: a block cannot be taken back unseen.
                for block in [block for block in self._blocks if block.refused]:
                    block.durable = self._log.append(block.payloads).durable
                    block.durable.add_done_callback(self._settle)
            except LogFull as error:
                if not troubled:
                    _log.warning("bus_waits_for_disk", path=str(error.path), reason=error.reason)
                troubled = True
                await asyncio.sleep(_PAUSE)
            except Full:
                await self._log.room()
            else:
                if troubled:
                    _log.info("bus_goes_on", path=str(self._log.directory))
                return

    def _settle(self, durable: asyncio.Future[None]) -> None:
        """Answer the senders in order, as far as the disk has their records."""
        while self._blocks:
            block = self._blocks[0]
            if block.durable is None or not block.durable.done() or block.refused:
                break
            self._blocks.popleft()
            if not block.done.done():
                block.done.set_result(None)
        if durable.exception() is not None and self._again is None:
            self._again = asyncio.create_task(self._write_again())

    async def _write_again(self) -> None:
        try:
            await asyncio.sleep(_PAUSE)
            async with self._turn:
                await self._write()
        finally:
            self._again = None
