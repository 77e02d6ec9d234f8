"""Stream positions: the repeat map of one partition, as topic stream-positions keeps it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from logintel.bus.kafka_scan import scan
from logintel.config.shared import KafkaBusConfig

#: Milliseconds after which a stream that brings nothing is forgotten.
IDLE: Final = 30 * 24 * 3600 * 1000


@dataclass(slots=True)
class StreamPositions:
    """`last`: the last seq of each stream; `touched`: when that was, milliseconds since 1970."""

    last: dict[bytes, bytes] = field(default_factory=dict)
    touched: dict[bytes, int] = field(default_factory=dict)

    def update(self, positions: dict[bytes, bytes], now: int) -> None:
        """Note that streams have gone on to `positions`."""
        self.last.update(positions)
        self.touched.update(dict.fromkeys(positions, now))

    def idle(self, now: int, most: int) -> list[bytes]:
        """At most `most` streams that brought nothing for so long that they can be forgotten."""
        found = []
        for stream, moment in self.touched.items():
            if now - moment > IDLE:
                found.append(stream)
                if len(found) == most:
                    break
        return found

    def forget(self, streams: list[bytes]) -> None:
        """Streams whose positions are no longer kept."""
        for stream in streams:
            self.last.pop(stream, None)
            self.touched.pop(stream, None)


async def read_positions(kafka: KafkaBusConfig, topic: str, partition: int) -> StreamPositions:
    """All committed positions of `partition`, to its end. Raises TimeoutError, KafkaError."""
    found = StreamPositions()
    async with aclosing(scan(kafka, topic, [partition])) as pages:
        async for page in pages:
            for record in page:
                if record.value is None:
                    found.forget([record.key])
                else:
                    found.last[record.key] = record.value
                    found.touched[record.key] = record.timestamp
    return found
