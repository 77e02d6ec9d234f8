"""The topics: the seed's four and the further ones of logintel, and making those that are missing."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_trouble import explained
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused

#: Seconds that setting up may take in all.
TIMEOUT: Final = 60.0
_DAY: Final = 24 * 3600 * 1000
_log = structlog.get_logger(__name__)


class Topic(NamedTuple):
    """A topic as we make it.

    days       how long records are kept; None: for ever
    compacted  of each key only the newest record is kept
    max_bytes  of one partition; None: no bound but `days`
    """

    name: str
    partitions: int
    days: int | None
    max_message_bytes: int = 1024 * 1024 + 12
    compacted: bool = False
    max_bytes: int | None = None

    def config(self, replication: int) -> dict[str, str]:
        """Its configuration on a cluster that keeps `replication` copies."""
        safety = {"min.insync.replicas": "2"} if replication >= REPLICATION else {}
        return {
            **self._keeping(),
            **safety,
            "compression.type": "lz4",
            "max.message.bytes": str(self.max_message_bytes),
            # The broker's clock decides what is old. By the sender's, records of a host whose clock is ahead would be
            # refused, and those of one whose clock is behind deleted at once.
            "message.timestamp.type": "LogAppendTime",
        }

    def _keeping(self) -> dict[str, str]:
        if self.days is None:
            # Small segments: only a closed one is compacted, and who starts reads all that is not.
            return {"cleanup.policy": "compact", "segment.bytes": str(_SEGMENT), "segment.ms": str(_DAY)}
        keeping = {"cleanup.policy": "delete", "retention.ms": str(self.days * _DAY)}
        if self.compacted:
            # By default a segment of a quiet topic is open for a week, and nothing in it is dropped.
            keeping |= {"cleanup.policy": "compact,delete", "segment.ms": str(_DAY), "max.compaction.lag.ms": str(_DAY)}
        if self.max_bytes is not None:
            keeping["retention.bytes"] = str(self.max_bytes)
        return keeping


#: Bytes of a segment of a compacted topic: its readers begin at its earliest record.
_SEGMENT: Final = 32 * 1024 * 1024
#: Copies of every record, where the cluster has that many brokers.
REPLICATION: Final = 3
_LARGE: Final = 2 * 1024 * 1024

INGESTION: Final = Topic("log-ingestion", 12, 7)
PROCESSING: Final = Topic("log-processing", 12, 30, _LARGE)
ALERTS: Final = Topic("alerts", 6, 30)
ANALYTICS: Final = Topic("analytics", 6, 30)
#: The last seq of each stream, partitioned as log-ingestion: how repeats are known.
POSITIONS: Final = Topic("stream-positions", INGESTION.partitions, None, compacted=True)
#: What the processor has passed on, in ranges of seq of each stream, and what was gone before it was read.
LEDGER: Final = Topic("stream-ledger", INGESTION.partitions, 29, compacted=True)
#: A letter that is sent once more, or dropped, is replaced by a record of the same key.
DEAD_LETTERS: Final = Topic("log-dead-letter", 6, 30, 2 * _LARGE, compacted=True, max_bytes=512 * 1024 * 1024)
STATUS: Final = Topic("agent-status", 6, None, compacted=True)
#: What the analyst goes on from; one partition, since one looks at a time.
LOOKS: Final = Topic("analyst-looks", 1, None, compacted=True)
MATCHES: Final = Topic("rule-matches", 12, 7)

ALL: Final = (INGESTION, PROCESSING, ALERTS, ANALYTICS, POSITIONS, LEDGER, DEAD_LETTERS, STATUS, LOOKS, MATCHES)
#: Topics of which the processor writes the partition that it reads of log-ingestion.
ALIKE: Final = (PROCESSING, POSITIONS, LEDGER)


async def set_up(config: KafkaBusConfig) -> list[str]:
    """Make the topics that are missing, and give those in ALIKE as many partitions as log-ingestion has.

    All else that is there stays as it is. The names of those made or enlarged.

    Raises Refused when the cluster cannot be asked or refuses.
    """
    admin = AIOKafkaAdminClient(**client_arguments(config), request_timeout_ms=int(TIMEOUT * 1000 / 2))
    try:
        async with asyncio.timeout(TIMEOUT):
            await admin.start()
            known = set(await admin.list_topics())
            brokers = len((await admin.describe_cluster())["brokers"])
            made = await _create(admin, [topic for topic in ALL if topic.name not in known], brokers)
            return made + await _enlarge(admin, [topic.name for topic in ALIKE])
    except (KafkaError, TimeoutError, OSError) as error:
        raise Refused((await explained(error, config)).reason) from error
    finally:
        await bounded(admin.close())


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic], brokers: int) -> list[str]:
    if not missing:
        return []
    replication = min(REPLICATION, brokers)
    if replication < REPLICATION:
        effect = "a lost disk of a broker loses what is on the bus"
        _log.warning("topics_without_replication", brokers=brokers, replication=replication, effect=effect)
    wanted = [
        NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config(replication))
        for topic in missing
    ]
    answer = await admin.create_topics(wanted)
    made = []
    for name, code, *rest in answer.topic_errors:
        error = for_code(code)
        if not code:
            made.append(name)
        elif error is not TopicAlreadyExistsError:  # another set_up was faster
            raise Refused(f"topic {name} cannot be made: {(rest and rest[0]) or error.__name__}")
    return made


async def _enlarge(admin: AIOKafkaAdminClient, names: list[str]) -> list[str]:
    counts = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics([INGESTION.name, *names])}
    small = {name: counts[INGESTION.name] for name in names if 0 < counts[name] < counts[INGESTION.name]}
    if small:
        await admin.create_partitions({name: NewPartitions(count) for name, count in small.items()})
    return [f"{name} ({count} partitions)" for name, count in small.items()]
