"""Transactions: one transactional producer, fenced by whoever next opens one of the same id; every await is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownError,
)

from logintel.bus import kafka_lz4
from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_connection import client_arguments
from logintel.bus.kafka_link import abandon
from logintel.config.shared import KafkaBusConfig

#: Seconds after which the cluster aborts a transaction that nobody ends, and within which we end each part of ours.
TIMEOUT: Final = 15.0
_DEADLINE: Final = 12.0
#: Seconds that the cluster may take to fence the former owner.
_FENCING: Final = 30.0
#: Bytes of a batch before compression; a longer message has one of its own.
_BATCH_BYTES: Final = 1024 * 1024
#: How the cluster says that it will never take a record.
_REFUSALS: Final = (MessageSizeTooLargeError, RecordListTooLargeError, CorruptRecordException, UnknownError)


class Poisoned(Exception):
    """The transaction was not committed, and the records may be why."""


class Transactions:
    """After any error it cannot be used any more: close it and open another, which aborts what this one has begun."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    @classmethod
    async def open(cls, kafka: KafkaBusConfig, transactional_id: str) -> Transactions:
        """Fence every earlier one of `transactional_id`: when this returns, what they have begun is ended.

        Raises TimeoutError, KafkaError.
        """
        kafka_lz4.install()
        producer = AIOKafkaProducer(
            **client_arguments(kafka),
            transactional_id=transactional_id,
            transaction_timeout_ms=int(TIMEOUT * 1000),
            request_timeout_ms=int(_DEADLINE * 1000),
            compression_type="lz4",
            max_batch_size=_BATCH_BYTES,
            linger_ms=0,
        )
        try:
            async with asyncio.timeout(_FENCING):
                await producer.start()
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(abandon(producer)))
            raise
        return cls(producer)

    async def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """How many partitions each topic has; 0: it is not there. Raises TimeoutError, KafkaError."""
        async with self._bounded():
            # Asks for all topics: asking for one would make it, with the broker's defaults.
            cluster = await self._producer.client.fetch_all_metadata()
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}

    async def send(self, *parts: tuple[str, int, Iterable[Message]]) -> None:
        """Begin a transaction of messages for (topic, partition); return when the cluster has all of them.

        Raises Poisoned when it refuses some of them; TimeoutError, KafkaError.
        """
        answers: list[asyncio.Future[Any]] = []
        async with self._bounded():
            await self._producer.begin_transaction()
            try:
                for topic, partition, messages in parts:
                    for batch in self._batches(messages):
                        answer = await self._producer.send_batch(batch, topic, partition=partition)
                        answers.append(answer)  # each at once, for when the next fails
                await asyncio.gather(*answers)
            except _REFUSALS as error:
                raise Poisoned(f"{type(error).__name__}: {error}") from error
            finally:
                for answer in answers:
                    answer.add_done_callback(_looked_at)

    async def commit(self, group: str = "", offsets: dict[TopicPartition, int] | None = None) -> None:
        """End the transaction, with what `group` has read by it. Raises TimeoutError, KafkaError: it may be ended."""
        async with self._bounded():
            if offsets:
                await self._producer.send_offsets_to_transaction(offsets, group)
            await self._producer.commit_transaction()

    async def close(self) -> None:
        """Let go, in bounded time."""
        await abandon(self._producer)
        # aiokafka keeps the error of a fenced producer for a commit that never comes.
        waiter = self._producer._txn_manager._transaction_waiter  # noqa: SLF001
        if waiter is not None:
            waiter.add_done_callback(_looked_at)

    def _batches(self, messages: Iterable[Message]) -> Iterator[Any]:
        batch = None
        for key, value, headers in messages:
            if batch is None:
                batch = self._producer.create_batch()
            while batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                yield batch
                batch = self._producer.create_batch()
        if batch is not None:
            yield batch

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_DEADLINE):
                yield
        except IllegalOperation as error:
            # aiokafka's sender has ended in the background; that it was fenced stands there.
            sending = self._producer._sender.sender_task  # noqa: SLF001
            ended = sending.exception() if sending is not None and sending.done() else None
            raise KafkaError(f"the transaction is over: {ended or error}") from error


def _looked_at(answer: asyncio.Future[Any]) -> None:
    """Nobody asks any more: not an error of asyncio's."""
    if not answer.cancelled():
        answer.exception()
