"""The analyst role: events in Elasticsearch to metrics on topic analytics, and from there to engineering_analytics.

Whoever has partition 0 of the topic looks for what is to be computed, all members store what is on it. The topic is in
the order in which things were computed, and a metric of an older look never replaces one of a newer.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import orjson
import structlog

from logintel.bus import topics
from logintel.bus.kafka_consumer import Consumed, GroupConsumer, PartitionBatch
from logintel.dead_letter import DeadLetter
from logintel.refused import Refused
from logintel_collector.analytics.look import Analyst, Looked
from logintel_collector.analytics.point import month_of
from logintel_collector.config import CollectorConfig
from logintel_collector.processor import stamp
from logintel_collector.roles import RoleName
from logintel_collector.roles.analytics_sink import AnalyticsSink
from logintel_collector.roles.dead_letters import DeadLetterSender
from logintel_collector.roles.group_role import GroupRole
from logintel_collector.roles.messages import log_id_of
from logintel_collector.roles.role import Role
from logintel_collector.stores.elasticsearch import ElasticsearchClient, connected
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_events import ElasticsearchEvents
from logintel_collector.stores.elasticsearch_indices import ANALYTICS, is_set_up, metric_index

#: The partition whose owner looks.
_LOOKING: Final = 0
#: Seconds between looks at whether it need not rest any more.
_LOOK_EVERY: Final = 0.2
_log = structlog.get_logger(__name__)


class AnalystRole(GroupRole):
    """`done` and `stored`: metrics written; `repeats`: older than, or the same as, what was there; `looks` of this run,
    `buckets` that they computed, `other`: how often a value was not told apart from others."""

    name: RoleName = "analyst"

    def __init__(
        self,
        config: CollectorConfig,
        topic: str = topics.ANALYTICS.name,
        looks: str = topics.LOOKS.name,
        dead_letters: str = topics.DEAD_LETTERS.name,
        ledger: str = topics.LEDGER.name,
    ) -> None:
        """Raises Refused."""
        assert config.bus.kafka is not None
        if config.stores.elasticsearch is None:
            raise Refused("role analyst needs stores.elasticsearch: add it, or leave the role out of `roles`")
        super().__init__(config.bus.kafka, topic, f"{config.installation}-analyst", ledger)
        self._config, self._elasticsearch, self._looks_topic = config, config.stores.elasticsearch, looks
        self._letters = DeadLetterSender(config.bus.kafka, dead_letters)
        self._client: ElasticsearchClient | None = None
        self._writer: BulkWriter | None = None
        self._group: asyncio.TaskGroup | None = None
        self._looking: asyncio.Task[None] | None = None
        self._looked_since, self._left = 0.0, 0
        self.stored = self.repeats = self.dead_letters = self.looks = self.buckets = self.other = 0

    def summary(self) -> dict[str, int]:
        """See Role."""
        names = ("stored", "repeats", "dead_letters", "looks", "buckets", "other")
        return {**super().summary(), **{name: getattr(self, name) for name in names}}

    async def run(self, stop: asyncio.Event) -> None:
        """See Role. Raises Refused where nobody has set the indices up: Elasticsearch would guess their mapping."""
        async with connected(self._elasticsearch) as client:
            if not await is_set_up(client, ANALYTICS):
                raise Refused(f"{client.at} has no template of our indices: run `logintel collector setup`")
            self._client, self._writer = client, BulkWriter(client)
            try:
                async with asyncio.TaskGroup() as self._group:
                    await super().run(stop)
            finally:
                await self._letters.close()

    async def prepare(self, consumer: GroupConsumer) -> None:
        """See GroupRole."""
        if self._looking is None and _LOOKING in consumer.assigned:
            assert self._group is not None
            self._looked_since = 0.0
            self._looking = self._group.create_task(self._look_again_and_again())

    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:
        """See GroupRole."""
        assert self._writer is not None
        entries, letters = self._entries(batches)
        outcome = await self._writer.store(entries)
        letters += [_letter(one.original, one.original.key, one.reason, one.error) for one in outcome.refused]
        await self._letters.send(letters)
        await consumer.commit({batch.partition: batch.records[-1].offset + 1 for batch in batches})
        self.stored += outcome.stored
        self.repeats += outcome.repeats
        self.dead_letters += len(letters)
        self.progress.done += sum(len(batch.records) for batch in batches)

    async def release(self) -> None:
        """See GroupRole: a look that is cut off is done again, by whoever looks next."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait({looking})

    async def saw(self, consumer: GroupConsumer, asked: float) -> None:
        """See GroupRole. Who looks knows what there was when the last look began."""
        waiting = await consumer.lag()
        if self._looking is not None:
            waiting, asked = waiting + self._left, min(asked, self._looked_since)
        self.progress.saw(waiting, asked)

    async def _look_again_and_again(self) -> None:
        assert self._client is not None
        sink, state = await AnalyticsSink.open(
            self.kafka, self._config.installation, self._config.analytics.values, self.topic, self._looks_topic
        )
        try:
            analyst = Analyst(ElasticsearchEvents(self._client), sink, state, lambda: datetime.now(UTC))
            while True:
                since = self.progress.now()
                looked = await analyst.look()
                self._count(looked, state.values.overflowed, since)
                await self._rest(looked.rest(self.progress.now() - since))
        finally:
            await asyncio.shield(asyncio.ensure_future(sink.close()))

    async def _rest(self, seconds: float) -> None:
        until = self.progress.now() + seconds
        while True:
            await asyncio.sleep(max(0.0, min(until - self.progress.now(), _LOOK_EVERY)))
            if self.progress.awaited or self.progress.now() >= until:
                return

    def _count(self, looked: Looked, overflowed: int, since: float) -> None:
        self.looks += 1
        self.buckets += looked.buckets
        self.other = overflowed
        self._left, self._looked_since = looked.left, since

    def _entries(self, batches: list[PartitionBatch]) -> tuple[list[Entry], list[DeadLetter]]:
        """What can be stored, and the letters of what is none of our metrics."""
        entries: list[Entry] = []
        letters: list[DeadLetter] = []
        for batch in batches:
            for record in batch.records:
                try:
                    entries.append(self._entry(record))
                except (ValueError, KeyError, TypeError, AttributeError):
                    error = "expected a metric with its id as the key and a header version"
                    name = log_id_of(record, self.topic, batch.partition).encode()
                    letters.append(_letter(record, name, "unidentified", error))
        return entries, letters

    def _entry(self, record: Consumed) -> Entry:
        """The newer version of a metric wins, in whatever order they are written."""
        body, version = record.value or b"", int(dict(record.headers)["version"])
        month = month_of(orjson.loads(body)["timestamp"])
        index = metric_index(self._elasticsearch.prefix, month)
        target = {"_index": index, "_id": (record.key or b"").decode("ascii")}
        action = {"index": {**target, "version": version, "version_type": "external"}}
        return Entry(orjson.dumps(action), body, record)


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused."""
    return AnalystRole(config)


def _letter(record: Consumed, log_id: bytes | None, reason: str, error: str) -> DeadLetter:
    created_at = stamp(datetime.now(UTC))
    name = (log_id or b"").decode("ascii", "replace")
    _log.warning("dead_letter", stage="analyst", log_id=name, reason=reason, error=error)
    return DeadLetter(name, "analyst", reason, error, 1, record.value or b"", "", created_at)
