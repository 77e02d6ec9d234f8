"""A stream that goes on through faults of the bus, and what is expected of it: all of it, in order, in bounded memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient
from bus_topic import everything, records, until

from logintel.bus.kafka_producer import KafkaProducer
from logintel.identity import seq_of

#: Seconds after which the producer gives a broker up: many times in a test, where users have 30.
SOON = 0.5
STREAM = b"s" * 16
SEND = 20
IN_FLIGHT = 200_000


@dataclass
class Flow:
    """A stream that goes on whatever happens: SEND records of a kilobyte at a time, in order."""

    producer: KafkaProducer
    partition: int = 0
    answers: list[asyncio.Future[None]] = field(default_factory=list)
    ending: bool = False

    async def run(self) -> None:
        while not self.ending:
            some = records(STREAM, self.sent, SEND, os.urandom(1000))
            self.answers.append(asyncio.ensure_future(await self.producer.send(some, self.partition)))
            await asyncio.sleep(0.002)

    @property
    def sent(self) -> int:
        return SEND * len(self.answers)

    @property
    def delivered(self) -> int:
        return SEND * sum(answer.done() for answer in self.answers)

    async def more(self, count: int) -> None:
        """Until so many further records are delivered."""
        goal = self.delivered + count
        await until(lambda: self.delivered >= goal)

    async def full(self) -> None:
        """Until there is no room for more."""
        await until(lambda: self.sent - self.delivered >= IN_FLIGHT // 1000 - SEND)


@asynccontextmanager
async def flowing(producer: KafkaProducer, partition: int = 0) -> AsyncIterator[Flow]:
    """A flow that is ended and delivered at the end."""
    flow = Flow(producer, partition)
    running = asyncio.create_task(flow.run())
    try:
        await flow.more(5 * SEND)
        yield flow
        flow.ending = True
        async with asyncio.timeout(60):
            await running
            await asyncio.gather(*flow.answers)
    finally:
        running.cancel()
        async with asyncio.timeout(20):
            await producer.close()


@asynccontextmanager
async def administered(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def seqs(kafka: str, name: str, count: int, partition: int = 0) -> list[bytes]:
    """Those of the stream as they arrived first, and nothing that came again in between."""
    found = await everything(kafka, name, count)
    return list(dict.fromkeys(dict(record.headers)["seq"] for record in found[partition]))


def whole(count: int) -> list[bytes]:
    return [seq_of(place) for place in range(count)]


async def told(producer: KafkaProducer, *words: str) -> None:
    """Until there is a trouble with these words."""
    await until(lambda: all(word in str(producer.trouble) for word in words))


async def healthy(producer: KafkaProducer) -> None:
    await until(lambda: producer.trouble is None)
