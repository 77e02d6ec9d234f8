"""Agent status: topic agent-status as its readers want it: the newest news of each agent and each stream, to its end.

Read without a consumer group, from the earliest record at each start: the topic is compacted, so what is on it is the
whole state, and a group's committed offset would skip just what a process that starts anew does not know yet. Whoever
reads keeps a bounded map of what it needs, and any number may read side by side.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson
import structlog

from logintel.bus.kafka_assigned import AssignedConsumer
from logintel.bus.kafka_consumer import Consumed
from logintel.bus.topics import STATUS
from logintel.config.shared import KafkaBusConfig

#: Records in one portion, and seconds that a read waits for some.
_PORTION: Final = 5000
_WAIT: Final = 1.0
#: Kafka's code for a record stamped by the broker's clock (KIP-32), and not by its sender's.
_BROKERS_CLOCK: Final = 1
#: Characters of a stream's id, by which its key is told from a worker's.
_STREAM_ID: Final = 32
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """One record. What it is stands in its key, so that who wants no streams need not decode them.

    host    that it is about
    kind    agent, stream, or the word that ends its key
    name    a worker's number, or a stream's id (hexadecimal)
    body    JSON; None: it is no more (a tombstone)
    at      when the broker took it, seconds since 1970 by its clock; None: the topic has only the sender's clock
    """

    host: str
    kind: str
    name: str
    body: bytes | None
    at: float | None

    @classmethod
    def of(cls, record: Consumed, installation: str) -> Self | None:
        """None: of another installation, or not ours."""
        try:
            found, host, name, *rest = orjson.loads(record.key or b"")
        except ValueError:
            return None
        if found != installation or not all(isinstance(part, str) for part in (host, name, *rest)):
            return None
        kind = rest[0] if rest else "stream" if len(name) == _STREAM_ID else "agent"
        stamped: Any = record  # the protocol leaves out what only this reader wants
        at = stamped.timestamp / 1000 if stamped.timestamp_type == _BROKERS_CLOCK else None
        return cls(host, kind, name, record.value, at)

    def values(self) -> dict[str, Any] | None:
        """Its body decoded, keys as docs/ledger.md has them; None: a tombstone, or damaged."""
        if self.body is None:
            return None
        try:
            found = orjson.loads(self.body)
        except ValueError:
            _log.warning("agent_status_unreadable", host=self.host, kind=self.kind, name=self.name)
            return None
        return found if isinstance(found, dict) else None


class AgentStatusReader:
    """Reads what `installation` is told on the topic: `start`, `news` as often as wanted, `close`."""

    def __init__(self, kafka: KafkaBusConfig, installation: str) -> None:
        self._installation = installation
        self._consumer = AssignedConsumer(kafka, STATUS.name, {})

    async def start(self) -> None:
        """Connect. Raises TimeoutError, KafkaError: close it and make another one."""
        await self._consumer.start()

    async def close(self) -> None:
        """Let go, in bounded time."""
        await self._consumer.stop()

    async def news(self) -> AsyncIterator[list[StatusRecord]]:
        """What came since the last call (at first: all there is), in portions, to the end that the topic has now.

        Raises TimeoutError, KafkaError: close it and make another one.
        """
        ends = await self._consumer.ends()
        while not await self._consumer.passed(ends):
            batches = await self._consumer.read(_PORTION, _WAIT)
            records = (StatusRecord.of(record, self._installation) for batch in batches for record in batch.records)
            yield [record for record in records if record is not None]
