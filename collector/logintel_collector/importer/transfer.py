"""The transfer: everything that a data directory holds, to the servers. It may be repeated, also after it was killed.

First how far each stream is, and what is on the bus but not stored: from then on the processor knows every repeat. Then
what is stored, under the ids that it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import asyncpg

from logintel.bus import Record
from logintel.bus.kafka_producer import KafkaProducer
from logintel.bus.local import LocalBus
from logintel.config.shared import KafkaBusConfig
from logintel.dead_letter import DeadLetter, Stage
from logintel.identity import named_id
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.importer.embedded import PAGE, Embedded, opened
from logintel_collector.notifier.index import IndexChannel
from logintel_collector.processor import AcceptedRange, stamp
from logintel_collector.roles import reader_of
from logintel_collector.roles.dead_letters import DeadLetterSender
from logintel_collector.roles.processor_lane import Lane, Route
from logintel_collector.stores import elasticsearch, postgres
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_indices import OUTLIERS, creating
from logintel_collector.stores.postgres_documents import Row, row_of
from logintel_collector.stores.postgres_entries import store
from logintel_collector.stores.postgres_lease import Lease
from logintel_collector.stores.postgres_partitions import make_partitions
from logintel_collector.stores.postgres_rows import insert
from logintel_collector.stores.tables import SEED_TABLES

#: Tables that come row by row, each after those that it refers to. log_entries is made of the documents.
TABLES: Final = (
    *(table for table in SEED_TABLES if table != "log_entries"),
    "rule_states",
    "outbox",
    "outbox_deliveries",
)
#: Seconds after which what is unread on the bus cannot be read.
_READABLE: Final = 10.0
#: Version of an imported alert in its index: any notification of it is later.
_OLDEST: Final = 0


@dataclass
class Transfer:
    """One import: what the data directory holds, and the servers that take it."""

    installation: str
    embedded: Embedded
    kafka: KafkaBusConfig
    producer: KafkaProducer
    letters: DeadLetterSender
    client: elasticsearch.ElasticsearchClient
    index: IndexChannel
    connection: asyncpg.Connection
    days: tuple[str, str] = field(default_factory=lambda: AcceptedRange().days(datetime.now(UTC)))

    async def positions(self) -> str:
        """How far each stream is, into the repeat map; whoever processes a partition meanwhile reads it anew."""
        by_partition: dict[int, dict[bytes, bytes]] = {}
        for stream, seq in self.embedded.positions().items():
            by_partition.setdefault(await self.producer.place(stream), {})[stream] = seq
        adopted = 0
        for partition, positions in sorted(by_partition.items()):
            lane = await Lane.open(self.kafka, self.installation, partition, Route(), _not_read)
            try:
                adopted += await lane.adopt(positions)
            finally:
                await lane.close()
        return f"positions: {adopted:,} streams"

    async def bus(self, directory: Path) -> str:
        """What is on the bus and was not stored, to log-ingestion."""
        count = 0
        async with LocalBus(directory, max_bytes=1) as bus:
            consumer = bus.consumer(self.embedded.offset())
            while bus.lag().bytes:
                try:
                    async with asyncio.timeout(_READABLE):
                        stored = await consumer.read(PAGE)
                except TimeoutError:
                    break  # what is left is damaged
                await self._send([record for _offset, record in stored])
                count += len(stored)
            damaged = bus.damage.records
        return f"bus: {count:,} events that were not stored yet" + (f"; {damaged:,} were damaged" if damaged else "")

    async def documents(self) -> str:
        """To their indices, and to log_entries; what is there already stays."""
        writer = BulkWriter(self.client)
        count = new = refused = 0
        for page in self.embedded.documents():
            made = [row_of(body) for body in page]
            rows, sources = [row for row, _ in made], {source for _, source in made}
            outcome = await writer.store([self._entry(row, body) for row, body in zip(rows, page, strict=True)])
            letters = [_letter("indexer", each.original, each.error) for each in outcome.refused]
            days = {date.fromisoformat(row.timestamp[:10]) for row in rows if self._day(row) != OUTLIERS}
            await make_partitions(self.connection, days, datetime.now(UTC).date())
            refusals = await store(self.connection, rows, sources)
            letters += [_letter("recorder", page[each.place], each.error) for each in refusals]
            await self.letters.send(letters)
            count, new, refused = count + len(page), new + outcome.stored, refused + len(letters)
        return f"documents: {count:,}, of them {new:,} new in Elasticsearch; {refused:,} dead letters"

    async def table(self, table: str) -> str:
        """Its rows that are not there yet; "" when there are none."""
        count = 0
        for page in self.embedded.rows(table):
            count += await insert(self.connection, table, page)
        return f"{table}: {count:,} rows" if count else ""

    async def alerts(self) -> str:
        """To index engineering_alerts; one that has gone on there since stays."""
        alerts = self.embedded.alerts()
        for alert in alerts:
            await self.index.put(asdict(alert), _OLDEST)
        return f"alerts in the index: {len(alerts):,}"

    async def dead_letters(self) -> str:
        """To topic log-dead-letter."""
        count = 0
        for page in self.embedded.dead_letters():
            await self.letters.send(page)
            count += len(page)
        return f"dead letters: {count:,}"

    async def _send(self, records: Sequence[Record]) -> None:
        runs = [list(run) for _stream, run in groupby(records, key=lambda record: record.stream)]
        for answer in [await self.producer.send(run) for run in runs]:
            await answer

    def _entry(self, row: Row, body: bytes) -> Entry:
        action = b'%s%s"}}' % (creating(self.client.prefix, self._day(row)), row.log_id.encode())
        return Entry(action, body, body)

    def _day(self, row: Row) -> str:
        first, last = self.days
        day = row.timestamp[:10]
        return day.replace("-", ".") if first <= day <= last else OUTLIERS


async def transfer(config: CollectorConfig, data: Path) -> AsyncIterator[str]:
    """Do it; what was done, a line for each part. Raises Refused."""
    kafka, stores = config.bus.kafka, config.stores
    if kafka is None or stores.elasticsearch is None or stores.postgres is None:
        raise Refused("an import needs bus.kafka, stores.elasticsearch and stores.postgres: name all three")
    try:
        async with AsyncExitStack() as stack:
            embedded = stack.enter_context(opened(data, stores.sqlite.path))
            connection = await stack.enter_async_context(postgres.connected(stores.postgres, "import"))
            await postgres.require_current(connection)
            # An alerter that runs would not see the rules' state that comes; it is refused, or waits for its lease.
            await (await Lease.take(connection, reader_of(config.installation))).release(connection)
            client = await stack.enter_async_context(elasticsearch.connected(stores.elasticsearch))
            letters, index = DeadLetterSender(kafka), IndexChannel(stores.elasticsearch)
            stack.push_async_callback(letters.close)
            stack.push_async_callback(index.close)

            async def refuse(record: Record, error: str) -> None:
                await letters.send([_letter("processor", record.value, error)])

            producer = KafkaProducer(kafka, refuse)
            stack.push_async_callback(producer.close)
            doing = Transfer(config.installation, embedded, kafka, producer, letters, client, index, connection)
            yield await doing.positions()
            yield await doing.bus(config.bus.local.dir)
            yield await doing.documents()
            for table in TABLES:
                if line := await doing.table(table):
                    yield line
            yield await doing.alerts()
            yield await doing.dead_letters()
    except elasticsearch.ElasticsearchError as error:
        raise Refused(f"{error}; what is done so far stays: run it again") from error
    except (TimeoutError, *postgres.ERRORS) as error:
        raise Refused(f"PostgreSQL: {postgres.explained(error)}; what is done so far stays: run it again") from error


def _letter(stage: Stage, original: bytes, error: str) -> DeadLetter:
    log_id = named_id("import", original.hex())
    return DeadLetter(log_id, stage, "refused", error, 1, original, "", stamp(datetime.now(UTC)))


async def _not_read(_partition: int) -> int:
    """Where the processor goes on: whoever only adds to the repeat map reads nothing."""
    return 0
