"""The producer of the Kafka bus: bounded memory, order within a partition, and no record given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final
from zlib import crc32

from logintel.bus import Record
from logintel.bus.kafka_lane import Lane, Parcel, Refuse
from logintel.bus.kafka_link import Link
from logintel.bus.topics import INGESTION
from logintel.config.shared import KafkaBusConfig

#: Bytes that may be on their way; when they are, `send` waits.
IN_FLIGHT: Final = 32 * 1024 * 1024
#: Seconds that the cluster may take for one answer; then the connection is made anew and the batch sent again.
TIMEOUT: Final = 30.0
#: Seconds after which partitions that were added to the topic are known.
REFRESH: Final = 60.0


class KafkaProducer:
    """A Producer over Kafka. What `send` took is sent until the cluster has it, whatever the cluster says.

    A record that the cluster refuses for good goes to `refuse` and counts as delivered when that returns. After a lost
    answer a record may be on the bus twice, under the same (stream, seq).
    """

    def __init__(
        self,
        config: KafkaBusConfig,
        refuse: Refuse,
        topic: str = INGESTION.name,
        *,
        in_flight: int = IN_FLIGHT,
        timeout: float = TIMEOUT,
        refresh: float = REFRESH,
    ) -> None:
        """Raises Refused when a TLS file that the configuration names is none."""
        self._link = Link(config, topic, timeout, refresh)
        self._topic, self._refuse, self._timeout = topic, refuse, timeout
        self._room = in_flight
        self._size = 0
        self._freed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._lanes: dict[int, Lane] = {}

    @property
    def trouble(self) -> str | None:
        """What keeps records from the cluster now, and what to do about it; None: nothing known."""
        return self._link.trouble.reason if self._link.trouble else None

    async def place(self, stream: bytes) -> int:
        """See Producer. Waits until the cluster can be asked."""
        return crc32(stream) % (await self._link.line()).partitions

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:
        """See Producer. A cancelled call leaves nothing behind."""
        if partition is None:
            partition = await self.place(records[0].stream)
        size = sum([len(value) for value, _, _ in records])
        async with self._turn:
            while self._size and self._size + size > self._room:
                self._freed.clear()
                await self._freed.wait()
            self._size += size
        parcel = Parcel(records, size, asyncio.get_running_loop().create_future())
        self._lane(partition).add(parcel)
        return parcel.done

    async def close(self) -> None:
        """Stop trying, in bounded time."""
        for lane in self._lanes.values():
            await lane.close()
        await self._link.close()

    def _lane(self, partition: int) -> Lane:
        lane = self._lanes.get(partition)
        if lane is None:
            lane = Lane(self._link, self._topic, partition, self._timeout, self._refuse, self._delivered)
            self._lanes[partition] = lane
        return lane

    def _delivered(self, parcel: Parcel) -> None:
        self._size -= parcel.size
        self._freed.set()
        if not parcel.done.done():
            parcel.done.set_result(None)
