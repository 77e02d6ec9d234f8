"""The lane: one partition of log-ingestion on its way to log-processing, one transaction at a time.

Whoever opens the lane of a partition fences everyone who had it before: what they have begun is aborted, and what they
still try is refused. Only then the committed offset and the repeat map are read, so both are final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import CorruptRecordException, MessageSizeTooLargeError, RecordListTooLargeError, UnknownError

from logintel.bus import Stored, kafka_lz4
from logintel.bus.kafka_connection import client_arguments
from logintel.bus.kafka_consumer import Consumed
from logintel.bus.kafka_link import abandon
from logintel.bus.topics import DEAD_LETTERS, INGESTION, POSITIONS, PROCESSING
from logintel.config.shared import KafkaBusConfig
from logintel_collector.fitting import fitted
from logintel_collector.processor import Processed, Processor
from logintel_collector.roles.messages import (
    Message,
    dead_letters_out,
    documents_out,
    identified,
    log_id_of,
    positions_out,
)
from logintel_collector.roles.stream_positions import StreamPositions, read_positions

#: Seconds after which the cluster aborts a transaction that nobody ends, and within which we end ours.
TRANSACTION_TIMEOUT: Final = 15.0
_DEADLINE: Final = 12.0
#: Seconds that opening a lane may take.
_OPENING: Final = 30.0
#: Bytes of a batch before compression; a longer document has one of its own.
_BATCH_BYTES: Final = 1024 * 1024
#: What batch and record put around a document.
_OVERHEAD: Final = 1024
#: Streams that are forgotten in one transaction.
_FORGET: Final = 10_000
#: How the cluster says that it will never take a record.
REFUSALS: Final = (MessageSizeTooLargeError, RecordListTooLargeError, CorruptRecordException, UnknownError)


class Route(NamedTuple):
    """The topics between which the processor works."""

    ingestion: str = INGESTION.name
    processing: str = PROCESSING.name
    positions: str = POSITIONS.name
    dead_letters: str = DEAD_LETTERS.name
    max_document: int = PROCESSING.max_message_bytes - _OVERHEAD


class Poisoned(Exception):
    """The transaction was aborted, and the records may be why."""


class Lane:
    """A fenced partition. After any error it cannot be used any more: close it and open another.

    next  offset of the first record that is not done
    """

    def __init__(self, partition: int, group: str, route: Route, producer: AIOKafkaProducer) -> None:
        self.partition, self.next = partition, 0
        self._group, self._route, self._producer = group, route, producer
        self._positions = StreamPositions()
        self._dead_letter_partitions = 1
        self._pending: tuple[int, Processed] | None = None

    @classmethod
    async def open(
        cls,
        kafka: KafkaBusConfig,
        installation: str,
        partition: int,
        route: Route,
        committed: Callable[[int], Awaitable[int]],
    ) -> Lane:
        """Fence, then read where the group is and what it has seen. Raises TimeoutError, KafkaError.

        `committed`: the group's offset of a partition, else the earliest there is.
        """
        kafka_lz4.install()
        producer = AIOKafkaProducer(
            **client_arguments(kafka),
            transactional_id=f"{installation}/processor/{partition}",
            transaction_timeout_ms=int(TRANSACTION_TIMEOUT * 1000),
            request_timeout_ms=int(_DEADLINE * 1000),
            compression_type="lz4",
            max_batch_size=_BATCH_BYTES,
            linger_ms=0,
        )
        lane = cls(partition, group_of(installation), route, producer)
        try:
            async with asyncio.timeout(_OPENING):
                await producer.start()
                lane.next = await committed(partition)
                lane._dead_letter_partitions = len(await producer.partitions_for(route.dead_letters))
            lane._positions = await read_positions(kafka, route.positions, partition)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(abandon(producer)))
            raise
        return lane

    async def take(self, processor: Processor, records: Sequence[Consumed]) -> Processed:
        """Do what is to be done for `records`, which follow what is done. Raises what `send` and `commit` do."""
        await self.send(processor, records)
        return await self.commit()

    async def send(self, processor: Processor, records: Sequence[Consumed]) -> None:
        """Put what `records` become into a transaction; nobody sees it before `commit`.

        Raises Poisoned when the records may be at fault; TimeoutError, KafkaError when the cluster is, or when someone
        else has fenced this lane.
        """
        try:
            processed = self._processed(processor, records)
        except Exception as error:
            raise Poisoned(_reason(error)) from error
        await self._send(processed, records[-1].offset + 1)

    async def bury(self, processor: Processor, record: Consumed, error: str) -> Processed:
        """Make a dead letter of a record that cannot be processed; otherwise like `take`."""
        found = identified(record)
        letter = processor.dead_letter(
            log_id_of(record, self._route.ingestion, self.partition), "refused", error, record.value or b"", attempts=2
        )
        positions = {found.stream: found.seq} if found else {}
        await self._send(Processed(dead_letters=[letter], positions=positions), record.offset + 1)
        return await self.commit()

    async def commit(self) -> Processed:
        """End the transaction that `send` has begun; what it held. Raises TimeoutError, KafkaError."""
        assert self._pending is not None
        following, processed = self._pending
        async with asyncio.timeout(_DEADLINE):
            await self._producer.commit_transaction()
        self.next, self._pending = following, None
        self._positions.update(processed.positions, _now())
        return processed

    async def forget_idle(self) -> int:
        """Take streams that brought nothing for long out of the repeat map; how many."""
        streams = self._positions.idle(_now(), _FORGET)
        if streams:
            async with asyncio.timeout(_DEADLINE):
                await self._producer.begin_transaction()
                tombstones: list[Message] = [(key, None, []) for key in streams]
                await asyncio.gather(*await self._produce(self._route.positions, self.partition, tombstones))
                await self._producer.commit_transaction()
            self._positions.forget(streams)
        return len(streams)

    async def close(self) -> None:
        """Let go, in bounded time; a transaction that is still open is aborted by the next owner."""
        await abandon(self._producer)

    def _processed(self, processor: Processor, records: Sequence[Consumed]) -> Processed:
        """What the records become, each document as long as the bus takes; who knows no stream has a dead letter."""
        stored, unknown = [], []
        for record in records:
            found = identified(record)
            if found is None:
                unknown.append(record)
            else:
                stored.append(Stored(record.offset, found))
        processed = processor.process(stored, self._positions.last)
        limit = self._route.max_document
        for place, document in enumerate(processed.documents):
            if len(document.body) > limit:
                processed.documents[place] = fitted(document, limit)
        for record in unknown:
            log_id = log_id_of(record, self._route.ingestion, self.partition)
            error = "expected a key of 16 bytes (the stream) and a header seq of 12"
            processed.dead_letters.append(processor.dead_letter(log_id, "unidentified", error, record.value or b""))
        return processed

    async def _send(self, processed: Processed, following: int) -> None:
        route, partition = self._route, self.partition
        async with asyncio.timeout(_DEADLINE):
            await self._producer.begin_transaction()
            try:
                await asyncio.gather(
                    *await self._produce(route.processing, partition, documents_out(processed)),
                    *await self._produce(route.positions, partition, positions_out(processed)),
                    *await self._produce(
                        route.dead_letters, partition % self._dead_letter_partitions, dead_letters_out(processed)
                    ),
                )
            except REFUSALS as error:
                raise Poisoned(_reason(error)) from error
            place = TopicPartition(route.ingestion, partition)
            await self._producer.send_offsets_to_transaction({place: following}, self._group)
        self._pending = following, processed

    async def _produce(self, topic: str, partition: int, messages: Iterable[Message]) -> list[asyncio.Future[Any]]:
        """Send in explicit batches; the answers to come."""
        answers, batch = [], None
        for key, value, headers in messages:
            if batch is None:
                batch = self._producer.create_batch()
            while batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                answers.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
        if batch is not None:
            answers.append(await self._producer.send_batch(batch, topic, partition=partition))
        return answers


def group_of(installation: str) -> str:
    """The consumer group of an installation's processors."""
    return f"{installation}-processor"


def _now() -> int:
    return int(time.time() * 1000)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
