"""The link: the one aiokafka producer that lives at a time; made anew, with growing pauses, for as long as it takes."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from logintel.bus import kafka_lz4, kafka_retries
from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_trouble import ASKING, TopicAbsent, Trouble, explained, named
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused

#: Seconds between tries to reach the cluster: the first and the longest pause.
PAUSE: Final = (0.2, 5.0)
#: Bytes of one batch before compression; below a broker's default limit of 1 MiB even when nothing compresses.
BATCH_BYTES: Final = 768 * 1024
_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Line:
    """One producer's life: `broken` is set when nothing more will come of it."""

    producer: AIOKafkaProducer
    topic: str
    partitions_at_start: int
    broken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def partitions(self) -> int:
        """How many the topic has, as far as the producer has heard: it asks anew every now and then."""
        known = self.producer.client.cluster.partitions_for_topic(self.topic)
        return len(known) if known else self.partitions_at_start


class Link:
    """Hands out the living producer of `topic`. `trouble` says what is wrong now, None: nothing.

    `timeout`: seconds that one exchange with the cluster may take; `refresh`: seconds between looks at its partitions.
    """

    def __init__(self, config: KafkaBusConfig, topic: str, timeout: float, refresh: float) -> None:
        """Raises Refused when a TLS file is none."""
        kafka_lz4.install()
        kafka_retries.install()
        client_arguments(config)
        self.trouble: Trouble | None = None
        self._config, self._topic, self._timeout, self._refresh = config, topic, timeout, refresh
        self._line: Line | None = None
        self._turn = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._pause = PAUSE[0]

    async def line(self) -> Line:
        """The producer in use, or a new one as soon as there can be one."""
        within = min(ASKING, self._timeout)
        async with self._turn:
            while self._line is None:
                try:
                    self._line = await self._connect()
                except (KafkaError, TimeoutError, OSError, Refused) as error:
                    self._report(await explained(error, self._config, self._topic, within))
                    await self.rest()
            return self._line

    def drop(self, line: Line, error: BaseException) -> None:
        """Give the producer up for its error; who waits for it sends again through the next."""
        if not line.broken.is_set():
            met = kafka_retries.last(self._topic) if isinstance(error, TimeoutError) else None
            self._report(named(met or error, self._config, self._topic))
            self.renew(line)

    def renew(self, line: Line) -> None:
        """Have another producer made, without any trouble. A second call does nothing."""
        if line.broken.is_set():
            return
        line.broken.set()
        self._line = None
        closing = asyncio.create_task(abandon(line.producer))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _report(self, trouble: Trouble) -> None:
        """Note what is wrong; logged once per change."""
        changed, self.trouble = trouble != self.trouble, trouble
        if not changed:
            return
        effect = "waits and tries again; nothing is lost"
        if trouble.must_act:
            _log.error("bus_refuses", topic=self._topic, reason=trouble.reason, effect=effect)
        else:
            _log.warning("bus_away", topic=self._topic, reason=trouble.reason, effect=effect)

    def works(self) -> None:
        """Note that the cluster took something."""
        self._pause = PAUSE[0]
        kafka_retries.forget(self._topic)
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
            **client_arguments(self._config),  # anew: certificates are renewed while we run
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_batch_size=BATCH_BYTES,
            linger_ms=0,
            request_timeout_ms=int(self._timeout * 1000),
            metadata_max_age_ms=int(self._refresh * 1000),
        )
        try:
            async with asyncio.timeout(self._timeout):
                await producer.start()
                # Asks for all topics: asking for one would make it, with the broker's defaults.
                cluster = await producer.client.fetch_all_metadata()
            return Line(producer, self._topic, _partitions(cluster.partitions_for_topic(self._topic)))
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(abandon(producer)))
            raise


def _partitions(known: set[int] | None) -> int:
    if not known:
        raise TopicAbsent
    return len(known)


async def abandon(producer: AIOKafkaProducer) -> None:
    """Close without waiting for what is still to be sent: `stop` alone may hang for ever (aio-libs/aiokafka#1101).

    There is no public way to end what a producer waits for: its batches, and metadata that a closed client never gets.
    """
    sending = producer._sender.sender_task  # noqa: SLF001
    if sending is not None:
        sending.cancel()
    open_ = [(each._closed_fut, each._writer) for each in producer.client._conns.values()]  # noqa: SLF001
    await bounded(producer.client.close())
    for closed, writer in open_:
        if writer is not None and (closed.cancelled() or not closed.done()):
            writer.transport.abort()  # a peer that takes nothing would keep what was written in memory for ever
    metadata = producer.client._md_update_fut  # noqa: SLF001
    if metadata is not None:
        metadata.cancel()
    _fail_all(producer._message_accumulator)  # noqa: SLF001
    await bounded(producer.stop())


def _fail_all(accumulator: Any) -> None:
    """Its `fail_all`, for batches that wait to be sent again as well, and without a word of asyncio's about either."""
    waiting = [batch for batches in accumulator._batches.values() for batch in batches]  # noqa: SLF001
    accumulator._pending_batches.update(waiting)  # noqa: SLF001 - where each looks for itself when it fails
    failed = list(accumulator._pending_batches)  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    for batch in failed:
        looked_at(batch._drain_waiter)  # noqa: SLF001


def looked_at(answer: asyncio.Future[Any]) -> None:
    """Of what was given up nobody asks any more, and of several errors one is told: the others are not asyncio's."""
    if answer.done() and not answer.cancelled():
        answer.exception()
