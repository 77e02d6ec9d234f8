"""The indexer role: log-processing to Elasticsearch, each document under its log_id, its bytes as they are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final

import orjson
import structlog

from logintel.bus import topics
from logintel.bus.kafka_consumer import Consumed, GroupConsumer, PartitionBatch
from logintel.config.version import config_version
from logintel.dead_letter import DeadLetter
from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.roles import RoleName
from logintel_collector.roles.dead_letters import DeadLetterSender, LetterWriter
from logintel_collector.roles.group_role import GroupRole
from logintel_collector.roles.messages import DAY, LOG_ID, header, log_id_of
from logintel_collector.roles.role import Role
from logintel_collector.stores.elasticsearch import connected
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry, Outcome, Pace, is_id
from logintel_collector.stores.elasticsearch_indices import OUTLIERS, creating, is_set_up

#: Nothing else from a record than an id and a day gets into an action line.
_DAY: Final = re.compile(rb"[0-9]{4}\.[0-9]{2}\.[0-9]{2}")
#: Without the class's own constructor, which takes longer than all else that an entry needs.
_new: Final = tuple.__new__
_log = structlog.get_logger(__name__)


class IndexerRole(GroupRole):
    """`stored` documents are new, `repeats` were there, `dead_letters` are not stored at all.

    `mended` have fields in `overflow`, `overflowed` of them because their index has all the fields that it may have.
    """

    name: RoleName = "indexer"

    def __init__(
        self,
        config: CollectorConfig,
        topic: str = topics.PROCESSING.name,
        dead_letters: str = topics.DEAD_LETTERS.name,
        ledger: str = topics.LEDGER.name,
    ) -> None:
        assert config.bus.kafka is not None
        if config.stores.elasticsearch is None:
            raise Refused("role indexer needs stores.elasticsearch: add it, or leave the role out of `roles`")
        super().__init__(config.bus.kafka, topic, f"{config.installation}-indexer", ledger)
        self._letter = LetterWriter("indexer", config_version(config))
        self._elasticsearch = config.stores.elasticsearch
        self._letters = DeadLetterSender(config.bus.kafka, dead_letters)
        self._writer: BulkWriter | None = None
        self._pace = Pace()
        self.stored = self.repeats = self.mended = self.overflowed = self.dead_letters = 0

    def summary(self) -> dict[str, int]:
        """See Role."""
        counts = {name: getattr(self, name) for name in ("stored", "repeats", "mended", "overflowed", "dead_letters")}
        return {**super().summary(), **counts}

    async def run(self, stop: asyncio.Event) -> None:
        """See Role. Raises Refused where nobody has set the indices up: Elasticsearch would guess their mapping."""
        async with connected(self._elasticsearch) as client:
            if not await is_set_up(client):
                raise Refused(f"{client.at} has no template of our indices: run `logintel collector setup`")
            self._writer = BulkWriter(client, self._pace, self._waits)
            try:
                await super().run(stop)
            finally:
                await self._letters.close()

    async def prepare(self, consumer: GroupConsumer) -> None:
        """See GroupRole: there is nothing to hold between two reads."""

    async def take(self, consumer: GroupConsumer, batches: list[PartitionBatch]) -> None:
        """See GroupRole."""
        assert self._writer is not None
        entries, letters = self._entries(batches)
        outcome = await self._writer.store(entries)
        letters += [
            self._letter.of(one.original, _log_id(one.original).decode(), one.reason, one.error, one.attempts)
            for one in outcome.refused
        ]
        await self._letters.send(letters)
        await consumer.commit({batch.partition: batch.records[-1].offset + 1 for batch in batches})
        self._count(outcome, letters)
        self.progress.done += sum(len(batch.records) for batch in batches)

    async def release(self) -> None:
        """See GroupRole: what is not committed the next owner stores again, under the same ids."""

    def _entries(self, batches: Iterable[PartitionBatch]) -> tuple[list[Entry], list[DeadLetter]]:
        """What can be sent, and the letters of what cannot."""
        entries: list[Entry] = []
        letters: list[DeadLetter] = []
        actions, add = _Actions(self._elasticsearch.prefix), entries.append
        for batch in batches:
            for record in batch.records:
                body, log_id = record.value, header(record, LOG_ID, "log_id")
                if body is None or not is_id(log_id):
                    error = "expected a value and a header log_id of 1 to 512 printable ASCII characters"
                    made_up = log_id_of(record, self.topic, batch.partition)
                    letters.append(self._letter.of(record, made_up, "unidentified", error))
                elif b"\n" in body and (body := _one_line(body)) is None:
                    letters.append(self._letter.of(record, log_id.decode(), "undecodable", "the value is not JSON"))
                else:
                    action = b'%s%s"}}' % (actions[header(record, DAY, "day")], log_id)
                    add(_new(Entry, (action, body, record, 0)))
        return entries, letters

    def _waits(self, reason: str) -> None:
        self.progress.trouble = reason

    def _count(self, outcome: Outcome, letters: list[DeadLetter]) -> None:
        self.stored += outcome.stored
        self.repeats += outcome.repeats
        self.mended += sum(entry.mends == 1 for entry in outcome.mended)
        self.overflowed += outcome.overflowed
        self.dead_letters += len(letters)
        for letter in letters:
            _log.warning("dead_letter", stage="indexer", log_id=letter.log_id, reason=letter.reason, error=letter.error)


class _Actions(dict[bytes, bytes]):
    """Header `day` → the action line of a document of that day, up to its id."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, day: bytes) -> bytes:
        found = creating(self._prefix, day.decode() if _DAY.fullmatch(day) else OUTLIERS)
        self[day] = found
        return found


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused."""
    return IndexerRole(config)


def _log_id(record: Consumed) -> bytes:
    return header(record, LOG_ID, "log_id")


def _one_line(body: bytes) -> bytes | None:
    """JSON of several lines in one; None: it is no JSON."""
    try:
        return orjson.dumps(orjson.loads(body))
    except ValueError:
        return None
