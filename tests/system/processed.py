"""Numbered orders of a shop as the processor writes them to log-processing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from aiokafka import AIOKafkaProducer

from logintel.bus import Record
from logintel.bus.topics import PROCESSING
from logintel.encoder import Encoder
from logintel.event import Envelope, Event, Json, Level
from logintel.identity import identify, source_id
from logintel_collector.document import Document
from logintel_collector.processor import Account, Processor
from logintel_collector.roles.messages import document_out

NOW: Final = datetime.now(UTC)
Part: TypeAlias = list[tuple[Document, Record]]


def part_of(shop: str, first: int, count: int) -> Part:
    """`count` lines of a shop's log of the last two hours, from line `first` on; each 40th is FATAL."""
    numbers = range(first, first + count)
    stream = shop.encode().ljust(16)
    log_ids, seqs = identify(stream, [(n, n + 1) for n in numbers])
    encode = Encoder(Envelope(source_id("logintel", shop, "web01"), {"source": shop, "source_type": "custom"})).encode
    records = []
    for number, log_id, seq in zip(numbers, log_ids, seqs, strict=True):
        stamp = (NOW + timedelta(seconds=3 * number - 7200)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        level: Level = "FATAL" if number % 40 == 7 else "INFO"
        order: dict[str, Json] = {"order": f"{shop}-{number}"}
        event = Event(raw=f"order {number}", timestamp=stamp, level=level, metadata=order)
        records.append(Record(encode(event, stamp, "record", log_id), stream, seq))
    return list(Processor(lambda: NOW).documents(records, {}, Account()))


async def send(kafka: str, parts: Sequence[Part]) -> None:
    """Each part to a partition of its own, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True)
    await producer.start()
    try:
        for partition, part in enumerate(parts):
            for document, record in part:
                key, value, headers = document_out(document, record)
                await producer.send(PROCESSING.name, value, key, partition, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()
