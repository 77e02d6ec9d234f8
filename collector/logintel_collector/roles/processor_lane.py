"""The lane: one partition of log-ingestion on its way to log-processing, one transaction at a time.

Whoever opens the lane of a partition fences everyone who had it before: what they have begun is aborted, and what they
still try is refused. Only then the committed offset and the repeat map are read, so both are final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aiokafka import TopicPartition

from logintel.bus import Record
from logintel.bus.kafka_batch import Message
from logintel.bus.kafka_consumer import Consumed
from logintel.bus.topics import DEAD_LETTERS, INGESTION, LEDGER, POSITIONS, PROCESSING
from logintel.config.shared import KafkaBusConfig
from logintel.identity import seq_of
from logintel.refused import Refused
from logintel_collector.fitting import fitted
from logintel_collector.processor import Account, Processor
from logintel_collector.roles.messages import (
    dead_letters_out,
    document_out,
    identified,
    log_id_of,
    positions_out,
    replay_of,
    replay_out,
)
from logintel_collector.roles.stream_positions import StreamPositions, read_positions
from logintel_collector.roles.stream_ranges import StreamRanges
from logintel_collector.roles.transactions import Poisoned, Transactions
from logintel_collector.stream_ledger import HOUR, StreamRange, range_out

#: Bytes that batch and record put around a document.
_OVERHEAD: Final = 1024
#: Streams that are forgotten in one transaction.
_FORGET: Final = 10_000


class Route(NamedTuple):
    """The topics between which the processor works; `max_document`: bytes of a document that log-processing takes."""

    ingestion: str = INGESTION.name
    processing: str = PROCESSING.name
    positions: str = POSITIONS.name
    dead_letters: str = DEAD_LETTERS.name
    ledger: str = LEDGER.name
    max_document: int = PROCESSING.max_message_bytes - _OVERHEAD


class Lane:
    """A fenced partition. After any error it cannot be used any more: close it and open another.

    next  offset of the first record that is not done
    """

    def __init__(self, partition: int, installation: str, route: Route, transactions: Transactions) -> None:
        self.partition, self.next = partition, 0
        self._installation, self._group = installation, group_of(installation)
        self._route, self._transactions = route, transactions
        self._positions, self._ranges = StreamPositions(), StreamRanges(installation)
        self._burial = 0
        self._pending: tuple[int, Account] | None = None

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

        Raises Refused where the topics have not that partition: only a person can give it to them.
        `committed`: the group's offset of a partition, else the earliest there is.
        """
        transactions = await Transactions.open(kafka, f"{installation}/processor/{partition}")
        lane = cls(partition, installation, route, transactions)
        try:
            letters = await _require_topics(transactions, route, partition)
            lane.next = await committed(partition)
            lane._positions = await read_positions(kafka, route.positions, partition)
            lane._burial = partition % letters
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(transactions.close()))
            raise
        return lane

    async def take(self, processor: Processor, records: Sequence[Consumed]) -> Account:
        """Do what is to be done for `records`, which follow what is done. Raises what `send` and `commit` do."""
        await self.send(processor, records)
        return await self.commit()

    async def send(self, processor: Processor, records: Sequence[Consumed]) -> None:
        """Put what `records` become into a transaction; nobody sees it before `commit`.

        Raises Poisoned when the records may be at fault; TimeoutError, KafkaError when the cluster is, or when someone
        else has fenced this lane.
        """
        account = Account()
        await processor.prepare(record.value for record in records if record.value)
        await self._send(self._documents(processor, records, account), account, records[-1].offset + 1)

    async def bury(self, processor: Processor, record: Consumed, error: str) -> Account:
        """Make a dead letter of a record that cannot be processed; otherwise like `take`."""
        found = identified(record)
        log_id = log_id_of(record, self._route.ingestion, self.partition)
        letter = processor.dead_letter(log_id, "refused", error, found or record.value or b"", attempts=2)
        account = Account(dead_letters=[letter])
        if found and found.seq > self._positions.last.get(found.stream, b""):
            account.positions[found.stream] = found.seq
            self._ranges.add_letter(found.stream, found.seq)
        await self._send([], account, record.offset + 1)
        return await self.commit()

    async def commit(self) -> Account:
        """End the transaction that `send` has begun; what it held. Raises TimeoutError, KafkaError."""
        assert self._pending is not None
        following, account = self._pending
        await self._transactions.commit(self._group, {TopicPartition(self._route.ingestion, self.partition): following})
        self.next, self._pending = following, None
        self._positions.update(account.positions, _now())
        return account

    async def forget_idle(self) -> int:
        """Take streams that brought nothing for long out of the repeat map; how many."""
        streams = self._positions.idle(_now(), _FORGET)
        if streams:
            tombstones: list[Message] = [(stream, None, []) for stream in streams]
            await self._transactions.send((self._route.positions, self.partition, tombstones))
            await self._transactions.commit()
            self._positions.forget(streams)
        return len(streams)

    async def adopt(self, positions: Mapping[bytes, bytes]) -> int:
        """Know streams as read up to `positions`, where that is further than what is known; how many streams."""
        known = self._positions.last
        news = {stream: seq for stream, seq in positions.items() if seq > known.get(stream, b"")}
        if news:
            hour = datetime.now(UTC).strftime(HOUR)
            name, start = self._installation, seq_of(0)
            elsewhere = [StreamRange(name, each, start, seq, hour, kind="elsewhere") for each, seq in news.items()]
            await self._transactions.send(
                (self._route.positions, self.partition, positions_out(news)),
                (self._route.ledger, self.partition, map(range_out, elsewhere)),
            )
            await self._transactions.commit()
            self._positions.update(news, _now())
        return len(news)

    async def close(self) -> None:
        """Let go, in bounded time; a transaction that is still open is aborted by the next owner."""
        await self._transactions.close()

    def _documents(self, processor: Processor, records: Sequence[Consumed], account: Account) -> Iterator[Message]:
        """What the records become, each document as long as the bus takes; who knows no stream has a dead letter.

        Made while they are put into batches, so that few are in memory. Raises Poisoned.
        """
        unknown: list[Consumed] = []
        count = self._ranges.add
        try:
            for document, event in processor.documents(_known(records, unknown), self._positions.last, account):
                yield document_out(fitted(document, self._route.max_document), event)
                count(event.stream, event.seq, document.day)
            for letter in account.dead_letters:
                self._ranges.add_letter(letter.stream, letter.seq)
            yield from self._without_seq(processor, unknown, account)
        except Exception as error:
            raise Poisoned(f"{type(error).__name__}: {error}") from error

    def _without_seq(self, processor: Processor, records: Sequence[Consumed], account: Account) -> Iterator[Message]:
        """Dead letters that are sent once more; a dead letter of everything else."""
        for record in records:
            replay = replay_of(record)
            if replay is not None:
                for document, event in processor.replay(replay, account):
                    yield replay_out(fitted(document, self._route.max_document), event)
                    self._ranges.add_replay(event.stream, event.seq, document.day)
                continue
            log_id = log_id_of(record, self._route.ingestion, self.partition)
            error = "expected a key of 16 bytes (the stream) and a header seq of 12"
            account.dead_letters.append(processor.dead_letter(log_id, "unidentified", error, record.value or b""))

    async def _send(self, documents: Iterable[Message], account: Account, following: int) -> None:
        """`account` is complete when the documents are at their end; the other messages are made after them."""
        route = self._route
        await self._transactions.send(
            (route.processing, self.partition, documents),
            (route.positions, self.partition, positions_out(account.positions)),
            (route.dead_letters, self._burial, dead_letters_out(account.dead_letters)),
            (route.ledger, self.partition, self._ranges.messages()),
        )
        self._pending = following, account


def group_of(installation: str) -> str:
    """The consumer group of an installation's processors."""
    return f"{installation}-processor"


async def _require_topics(transactions: Transactions, route: Route, partition: int) -> int:
    """How many partitions the topic of dead letters has. Raises Refused where another one lacks `partition`."""
    alike = (route.processing, route.positions, route.ledger)
    counts = await transactions.partitions((route.ingestion, *alike, route.dead_letters))
    for topic in (*alike, route.dead_letters):
        if not counts[topic]:
            raise Refused(f"topic {topic} is missing or this user may not see it: run `logintel collector setup`")
    for topic in alike:
        if counts[topic] <= partition:
            has = f"topic {topic} has {counts[topic]} partitions, {route.ingestion} has {counts[route.ingestion]}"
            raise Refused(f"{has}: the processor needs as many: run `logintel collector setup`, which adds them")
    return counts[route.dead_letters]


def _known(records: Iterable[Consumed], unknown: list[Consumed]) -> Iterator[Record]:
    """The records as the bus means them; those that it cannot know go to `unknown`."""
    for record in records:
        found = identified(record)
        if found is None:
            unknown.append(record)
        else:
            yield found


def _now() -> int:
    return int(time.time() * 1000)
