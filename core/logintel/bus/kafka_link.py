"""The link: the one aiokafka producer that lives at a time; made anew, with growing pauses, for as long as it takes."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from logintel.bus import kafka_lz4
from logintel.bus.kafka_connection import bounded

#: Seconds between tries to reach the cluster: the first and the longest pause.
PAUSE: Final = (0.2, 5.0)
#: Bytes of one batch before compression; below a broker's default limit of 1 MiB even when nothing compresses.
BATCH_BYTES: Final = 768 * 1024
_log = structlog.get_logger(__name__)


class TopicAbsent(Exception):
    """The topic is not there, or may not be seen."""


@dataclass(eq=False, slots=True)
class Line:
    """One producer's life: `broken` is set when nothing more will come of it."""

    producer: AIOKafkaProducer
    partitions: int
    broken: asyncio.Event = field(default_factory=asyncio.Event)


class Link:
    """Hands out the living producer of `topic`. `trouble` says what is wrong now, None: nothing.

    `arguments` are aiokafka's; `timeout`: seconds that one exchange with the cluster may take.
    """

    def __init__(self, arguments: dict[str, Any], topic: str, timeout: float) -> None:
        kafka_lz4.install()
        self.trouble: str | None = None
        self._arguments, self._topic, self._timeout = arguments, topic, timeout
        self._line: Line | None = None
        self._turn = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._pause = PAUSE[0]

    async def line(self) -> Line:
        """The producer in use, or a new one as soon as there can be one."""
        async with self._turn:
            while self._line is None:
                try:
                    self._line = await self._connect()
                except (KafkaError, TimeoutError, OSError, TopicAbsent) as error:
                    self.report(_reason(error))
                    await self.rest()
            return self._line

    def drop(self, line: Line, error: BaseException) -> None:
        """Give the producer up; who waits for it sends again through the next. A second call does nothing."""
        if line.broken.is_set():
            return
        self.report(_reason(error))
        line.broken.set()
        self._line = None
        closing = asyncio.create_task(abandon(line.producer))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def report(self, trouble: str) -> None:
        """Note what is wrong; logged once per change."""
        if trouble != self.trouble:
            _log.warning("bus_away", topic=self._topic, reason=trouble, effect="waits and tries again; nothing is lost")
        self.trouble = trouble

    def works(self) -> None:
        """Note that the cluster took something."""
        self._pause = PAUSE[0]
        if self.trouble is not None:
            _log.info("bus_back", topic=self._topic)
            self.trouble = None

    async def rest(self) -> None:
        """Wait before the next try, longer each time until something works."""
        await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311 - only jitter
        self._pause = min(2 * self._pause, PAUSE[1])

    async def close(self) -> None:
        """Let go of everything, in bounded time."""
        if self._line is not None:
            line, self._line = self._line, None
            line.broken.set()
            await abandon(line.producer)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _connect(self) -> Line:
        producer = AIOKafkaProducer(
            **self._arguments,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_batch_size=BATCH_BYTES,
            linger_ms=0,
            request_timeout_ms=int(self._timeout * 1000),
        )
        try:
            async with asyncio.timeout(self._timeout):
                await producer.start()
                # Asks for all topics: asking for one would make it, with the broker's defaults.
                cluster = await producer.client.fetch_all_metadata()
            return Line(producer, _partitions(cluster.partitions_for_topic(self._topic), self._topic))
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(abandon(producer)))
            raise


def _partitions(known: set[int] | None, topic: str) -> int:
    if not known:
        raise TopicAbsent(f"topic {topic} is missing or this user may not see it: run `logintel collector setup`")
    return len(known)


async def abandon(producer: AIOKafkaProducer) -> None:
    """Close without waiting for what is still to be sent: `stop` alone may hang for ever (aio-libs/aiokafka#1101).

    There is no public way to end what a producer waits for: its batches, and metadata that a closed client never gets.
    """
    sending = producer._sender.sender_task  # noqa: SLF001
    if sending is not None:
        sending.cancel()
    await bounded(producer.client.close())
    metadata = producer.client._md_update_fut  # noqa: SLF001
    if metadata is not None:
        metadata.cancel()
    accumulator = producer._message_accumulator  # noqa: SLF001
    undrained = [batch for batches in accumulator._batches.values() for batch in batches]  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    for batch in undrained:
        batch._drain_waiter.exception()  # noqa: SLF001 - nobody waits for it: asyncio would call that an error
    await bounded(producer.stop())


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
