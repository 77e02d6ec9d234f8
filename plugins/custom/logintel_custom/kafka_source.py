"""The Kafka source: topics of any cluster, whose offsets are the cursors, committed upstream once delivered."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from logintel.batch import Batch, Cursor
from logintel.config.format_name import FormatName
from logintel.config.shared import KafkaBusConfig
from logintel.event import Event, Json
from logintel.formats import Format, Reading, decode_records
from logintel.identity import STREAM_ID_BYTES
from logintel.source import Source, SourceConfig
from logintel.standing import Standing

if TYPE_CHECKING:
    from logintel_custom.kafka_topics import Partition, Portion, Topics

#: Most records of a batch.
_STEP: Final = 1000
#: Seconds that a read waits for records.
_WAIT: Final = 0.5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Characters of a key or a header that are kept.
_KEPT: Final = 1000


class KafkaConfig(SourceConfig):
    """Keys of the Kafka source."""

    cluster: Annotated[KafkaBusConfig, Field(description="The cluster; it need not be the one of `bus`.")]
    topics: Annotated[tuple[str, ...], Field(min_length=1, description="Names of topics.")]
    group: Annotated[
        str | None,
        Field(description="Consumer group; agents of one group share the partitions. logintel-NAME by default."),
    ] = None
    start: Annotated[
        Literal["earliest", "latest"], Field(description="Where a partition begins that the group never read.")
    ] = "earliest"
    format: Annotated[FormatName, Field(description="Format of the records' values.")] = "auto"


class KafkaSource(Source):
    """Topics of any Kafka cluster, read as a consumer group."""

    type = "kafka"
    Config = KafkaConfig
    host_local: ClassVar[bool] = False
    config: KafkaConfig

    def __init__(self, config: KafkaConfig, context: Any) -> None:
        super().__init__(config, context)
        self._group = config.group or f"logintel-{config.name}"
        self._topics: Topics | None = None
        self._partitions: dict[str, Partition] = {}
        self._formats: dict[str, Format] = {}

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:  # noqa: ARG002 - see below
        """The records behind what the group has committed. Cursors do not count: others may have read on."""
        from logintel_custom.kafka_topics import Topics  # noqa: PLC0415 - a Kafka client: only who reads Kafka needs it

        latest = self.config.start == "latest"
        async with Topics(self.config.cluster, self.config.topics, self._group, latest=latest) as self._topics:
            while True:
                portions = await self._topics.read(_STEP, _WAIT)
                for batch in map(self._batch, portions):
                    yield batch
                if not portions and self.context.once and await self._topics.exhausted():
                    return

    def standing(self) -> Standing | None:
        """By records."""
        return None if self._topics is None else Standing("records", dict(self._topics.places()))

    async def committed(self, stream: str, cursor: Cursor) -> None:
        """Tell the group."""
        if self._topics is not None and isinstance(cursor, int) and stream in self._partitions:
            await self._topics.commit(self._partitions[stream], cursor)

    def _batch(self, portion: Portion) -> Batch:
        partition = portion.partition
        self._partitions[partition.stream] = partition
        form = self._formats.setdefault(partition.stream, self.context.formats.create(self.config.format))
        records = [record for record in portion.records if record.value is not None]
        texts = [record.value.decode("utf-8", "backslashreplace") for record in records]
        now = self.context.now().replace(minute=0, second=0, microsecond=0)
        events, numbers = decode_records(form, texts, Reading(UTC, now))
        for event, number in zip(events, numbers, strict=True):
            _complete(event, records[number])
        return Batch(
            events,
            portion.records[-1].offset + 1,
            partition.stream,
            [(records[number].offset, records[number].offset + 1) for number in numbers],
            metadata={"kafka_topic": partition.topic, "kafka_partition": partition.number},
            identity=self._identity(partition),
        )

    def _identity(self, partition: Partition) -> bytes:
        """The same for every agent of the group: whoever reads a record again gives it the same id."""
        said = "\0".join((self._group, partition.topic, str(partition.number), partition.incarnation))
        return blake2b(said.encode(), digest_size=STREAM_ID_BYTES).digest()


def _complete(event: Event, record: Any) -> None:
    """What the record says beside its value."""
    event.metadata["kafka_offset"] = record.offset
    if record.key is not None:
        event.metadata["kafka_key"] = _text(record.key)
    if record.headers:
        event.metadata["kafka_headers"] = dict(_headers(record.headers))
    if event.timestamp is None and record.timestamp >= 0:
        event.timestamp = (_EPOCH + timedelta(milliseconds=record.timestamp)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _headers(headers: Any) -> Iterator[tuple[str, Json]]:
    for name, value in headers:
        yield name, None if value is None else _text(value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")[:_KEPT]
