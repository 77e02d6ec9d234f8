"""Records for readers in bulk: as aiokafka's compiled reader makes them, without a second object for each.

aiokafka 0.14 copies every record into a ConsumerRecord, which takes longer than all else that reading does. What a
consumer skips (markers, aborted transactions, what compaction left out) and where it is stays the library's. Beside
kafka_lz4 the only patch of a library, and only for consumers that ask for it.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords

_Value = TypeVar("_Value")
_consumer_record: Final = PartitionRecords._consumer_record  # noqa: SLF001


def as_read(value: _Value) -> _Value:
    """The `value_deserializer` of a consumer whose records come as they are: offset, key, value, headers, timestamp."""
    return value


def install() -> None:
    """Make `as_read` mean that; a second call changes nothing, and other consumers notice nothing."""
    PartitionRecords._consumer_record = _record  # noqa: SLF001


def _record(self: Any, place: TopicPartition, record: Any) -> Any:
    if self._value_deserializer is as_read:
        return record
    return _consumer_record(self, place, record)
