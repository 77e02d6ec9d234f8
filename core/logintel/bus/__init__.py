"""The bus: carries encoded events from agents to the collector. Kafka, or a segment log on disk when embedded."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """One record on the bus: the encoded event and the headers by which repeats are known.

    value   encoded event
    stream  16 bytes, the stream's id; also the key, so that a stream stays in one partition
    seq     12 bytes, position in the stream (logintel.identity); byte order is stream order
    """

    value: bytes
    stream: bytes
    seq: bytes


class Producer(Protocol):
    """Sends records of topic log-ingestion."""

    async def place(self, stream: bytes) -> int | None:
        """The partition of a new stream: kept with it and given to every `send`. None: this bus has no partitions."""

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:
        """Take the records of one stream, in order; waits while there is no room (backpressure).

        The awaitable that it returns ends when every record is durable. A stream's records never overtake each other.
        """


class Stored(NamedTuple):
    """A record as read back, with its offset in the log."""

    offset: int
    record: Record


class Consumer(Protocol):
    """Reads records of topic log-ingestion in order, from an offset that the reader keeps with its own results."""

    async def read(self, limit: int) -> Sequence[Stored]:
        """At least one and at most `limit` further records; waits until there are some."""
