"""The lane: one partition's records on their way, one batch at a time, so that none overtakes another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from logintel.bus import Record
from logintel.bus.kafka_batch import fill
from logintel.bus.kafka_link import Line, Link, looked_at
from logintel.bus.kafka_trouble import PartitionAbsent

SCHEMA_HEADER: Final = ("schema", b"1")
#: What no second try mends, as far as it is the records' fault.
_POISON: Final = (MessageSizeTooLargeError, RecordListTooLargeError)

#: Keeps a record that the bus will never take; returns when it is on disk.
Refuse = Callable[[Record, str], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Parcel:
    """Records of one `send`; the first `sent` of them are done with, and `done` is answered when all are."""

    records: Sequence[Record]
    size: int
    done: asyncio.Future[None]
    sent: int = 0


class Lane:
    """Sends what is added, in order, for as long as it takes; `delivered` is told of each parcel that is done with."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        link: Link,
        topic: str,
        partition: int,
        timeout: float,
        refuse: Refuse,
        delivered: Callable[[Parcel], None],
    ) -> None:
        self._link, self._topic, self._partition, self._timeout = link, topic, partition, timeout
        self._refuse, self._delivered = refuse, delivered
        self._parcels: deque[Parcel] = deque()
        #: Records in the batch of the last try, and the most that the next may hold: while a refused one is looked for,
        #: and after a batch that took too long.
        self._tried = 0
        self._most: int | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, parcel: Parcel) -> None:
        """Send the parcel behind those before it."""
        self._parcels.append(parcel)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop trying."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while self._parcels:
            line = await self._link.line()
            try:
                taken = await self._send(line)
            except _POISON as error:
                # The producer has counted the batch: whatever follows it would be out of sequence.
                self._link.renew(line)
                await self._halve(error)
            except Exception as error:  # noqa: BLE001 - whatever aiokafka raises, a lane goes on: nothing is given up
                if isinstance(error, TimeoutError):
                    self._most = max(1, self._tried // 2)  # on a slow way the same batch would be late for ever
                self._link.drop(line, error)
                await self._link.rest()
            else:
                if taken:
                    self._link.works()
                    self._most = taken + taken // 4 + 1 if self._most == taken else None
                    self._advance(taken)

    async def _send(self, line: Line) -> int:
        """Send one batch from the head of the lane; how many records were taken, 0 when the line broke meanwhile."""
        if self._partition >= line.partitions:
            raise PartitionAbsent(self._partition)
        batch = line.producer.create_batch()
        waiting = islice(self._waiting(), self._most)
        self._tried = fill(batch, ((stream, value, [("seq", seq), SCHEMA_HEADER]) for value, stream, seq in waiting))
        async with asyncio.timeout(self._timeout):
            answer = await line.producer.send_batch(batch, self._topic, partition=self._partition)
            answer.add_done_callback(looked_at)
            breaking = asyncio.ensure_future(line.broken.wait())
            try:
                await asyncio.wait({answer, breaking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                breaking.cancel()
        if not answer.done():
            return 0
        answer.result()
        return self._tried

    def _waiting(self) -> Iterator[Record]:
        return chain.from_iterable(islice(parcel.records, parcel.sent, None) for parcel in self._parcels)

    def _advance(self, count: int) -> None:
        """The first `count` records are done with."""
        while count:
            head = self._parcels[0]
            step = min(count, len(head.records) - head.sent)
            head.sent += step
            count -= step
            if head.sent < len(head.records):
                return
            self._parcels.popleft()
            self._delivered(head)

    async def _halve(self, error: KafkaError) -> None:
        """Look for the record that is refused in half as many; keep it aside when it is alone."""
        if self._tried > 1:
            self._most = self._tried // 2
            return
        head = self._parcels[0]
        await self._refuse(head.records[head.sent], f"{type(error).__name__}: {error}")
        self._advance(1)
