"""Records for readers in bulk: whole batches as aiokafka's compiled reader makes them.

aiokafka 0.14 takes each record through three Python calls and copies it into a ConsumerRecord, which takes longer than
all else that reading does. Here its loop runs once for each batch: what a consumer skips (markers, aborted
transactions, what compaction left out) and where it is stays the library's. Beside kafka_lz4 the only patch of a
library, and only for consumers that ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords

_Value = TypeVar("_Value")
_consumer_record: Final = PartitionRecords._consumer_record  # noqa: SLF001
_getall: Final = FetchResult.getall


def as_read(value: _Value) -> _Value:
    """The `value_deserializer` of a consumer whose records come as they are: offset, key, value, headers, timestamp.

    Such a consumer has `getmany` alone.
    """
    return value


def install() -> None:
    """Make `as_read` mean that; a second call changes nothing, and other consumers notice nothing."""
    PartitionRecords._consumer_record = _records_of  # noqa: SLF001
    FetchResult.getall = _in_bulk


class _Run(NamedTuple):
    """The records of one batch in place of one record; `offset` is the last one's."""

    offset: int
    records: list[Any]


class _Batch:
    """A batch that yields its records as one run."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[_Run]:
        records = list(self._batch)
        if records:
            yield _Run(records[-1].offset, records)

    def __next__(self) -> Any:
        """The record of a control batch."""
        return next(self._batch)


class _Batches:
    """What was fetched of a partition, batch by batch; `rest`: what the last `getmany` left of one."""

    def __init__(self, records: Any) -> None:
        self._records = records
        self.rest: list[Any] = []

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> _Batch:
        return _Batch(self._records.next_batch())


def _records_of(self: Any, place: TopicPartition, record: Any) -> Any:
    if self._value_deserializer is not as_read:
        return _consumer_record(self, place, record)
    start, records = self.next_fetch_offset, record.records
    return records if records[0].offset >= start else [one for one in records if one.offset >= start]


def _in_bulk(self: Any, max_records: int | None = None) -> list[Any]:
    fetched = self._partition_records
    if fetched is None or fetched._value_deserializer is not as_read:  # noqa: SLF001
        return list(_getall(self, max_records))
    if not self.check_assignment(self._topic_partition):
        return []
    if not isinstance(fetched._records, _Batches):  # noqa: SLF001
        fetched._records = _Batches(fetched._records)  # noqa: SLF001 - before the library's loop has begun
    taken, ended = _taken(fetched, max_records)
    self._update_position()
    if ended:
        self._partition_records = None
    return taken


def _taken(fetched: Any, most: int | None) -> tuple[list[Any], bool]:
    """At most `most` records of PartitionRecords, whose `next_fetch_offset` is then behind them; whether it ended."""
    batches: _Batches = fetched._records  # noqa: SLF001
    taken: list[Any] = []
    while most is None or len(taken) < most:
        run: Any = batches.rest
        if not run:
            run = next(fetched, None)
        batches.rest = []
        if run is None:
            return taken, True
        taken += run
    batches.rest = taken[most:]
    del taken[most:]
    fetched.next_fetch_offset = taken[-1].offset + 1
    return taken, False
