"""Counting in the stores: how many events of a stream, from one seq to another, are there. Their ids say it.

A log_id is made of its stream and its place in it, so a range of seq is a range of ids: nothing has to be kept for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from logintel.identity import id_bounds
from logintel_collector.config import ElasticsearchConfig, PostgresConfig, RetentionConfig
from logintel_collector.stores import elasticsearch, postgres
from logintel_collector.stores.elasticsearch_indices import LOGS, OUTLIERS

#: Ranges that one request asks for.
_STEP: Final = 500
_DAY: Final = "%Y.%m.%d"
_COUNT: Final = """
    SELECT (SELECT count(*) FROM log_entries WHERE id BETWEEN lowest AND highest AND timestamp >= $3 AND timestamp < $4)
    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked (lowest, highest, place) ORDER BY place
"""


class Span(NamedTuple):
    """Events of `stream` from seq `first` to `last`, both inside."""

    stream: bytes
    first: bytes
    last: bytes


class Kept(NamedTuple):
    """Days of events that retention has not touched: the first and the last of them."""

    first: date
    last: date

    @classmethod
    def of(cls, retention_days: int, now: datetime) -> Kept:
        """A day is dropped when all of it is older than the retention; what is later than tomorrow is an outlier."""
        oldest = now - timedelta(days=min(retention_days, (now - datetime(1970, 1, 2, tzinfo=UTC)).days))
        return cls(oldest.date() + timedelta(days=1), now.date() + timedelta(days=1))

    def sees(self, day: str) -> bool:
        """Whether an index day, YYYY.MM.DD ("": outliers), is one of them."""
        return self.first.strftime(_DAY) <= day <= self.last.strftime(_DAY)


class CountingStore(Protocol):
    """A store that a stage fills."""

    async def kept(self) -> Kept:
        """What its retention has left. Raises what the store's client does."""

    async def count(self, spans: Sequence[Span], kept: Kept) -> list[int]:
        """How many events of each span are there, of the days `kept`. Raises what the store's client does."""


class CountingElasticsearch:
    """See CountingStore."""

    def __init__(self, config: ElasticsearchConfig, retention: RetentionConfig) -> None:
        self._config, self._retention = config, retention
        self._events = f"{config.prefix}{LOGS}-"

    async def kept(self) -> Kept:
        """See CountingStore. Where room is bounded too, the oldest index that is there says what was dropped for it."""
        kept = Kept.of(self._retention.days, datetime.now(UTC))
        if "bytes" not in self._retention.model_fields_set:
            return kept
        async with elasticsearch.connected(self._config) as client:
            indices = await client.ask("GET", f"/{self._events}*/_alias")
        days = [day for name in indices if (day := name.removeprefix(self._events)) != OUTLIERS]
        oldest = min(days, default=kept.last.strftime(_DAY))
        return kept._replace(first=max(kept.first, datetime.strptime(oldest, _DAY).replace(tzinfo=UTC).date()))

    async def count(self, spans: Sequence[Span], kept: Kept) -> list[int]:
        """See CountingStore."""
        found: list[int] = []
        indices = f"/{self._events}*,-{self._events}{OUTLIERS}"
        async with elasticsearch.connected(self._config) as client:
            await client.ask("POST", f"{indices}/_refresh")
            for some in _steps(spans):
                body = {"size": 0, "query": _dated(kept), "aggs": {"spans": {"filters": {"filters": _filters(some)}}}}
                answer = await client.ask("POST", f"{indices}/_search", body)
                buckets = answer.get("aggregations", {}).get("spans", {}).get("buckets", [])
                found += [bucket["doc_count"] for bucket in buckets] or [0] * len(some)
        return found


class CountingPostgres:
    """See CountingStore."""

    def __init__(self, config: PostgresConfig, retention: RetentionConfig) -> None:
        self._config, self._retention = config, retention

    async def kept(self) -> Kept:
        """See CountingStore."""
        return Kept.of(self._retention.days, datetime.now(UTC))

    async def count(self, spans: Sequence[Span], kept: Kept) -> list[int]:
        """See CountingStore."""
        first = datetime(kept.first.year, kept.first.month, kept.first.day, tzinfo=UTC)
        beyond = first + (kept.last - kept.first) + timedelta(days=1)
        found = []
        async with postgres.connected(self._config, "ledger") as connection:
            for some in _steps(spans):
                bounds = [id_bounds(*span) for span in some]
                lowest, highest = ([uuid.UUID(bound[end]) for bound in bounds] for end in (0, 1))
                found += [row[0] for row in await connection.fetch(_COUNT, lowest, highest, first, beyond)]
        return found


def _steps(spans: Sequence[Span]) -> Iterator[Sequence[Span]]:
    for start in range(0, len(spans), _STEP):
        yield spans[start : start + _STEP]


def _dated(kept: Kept) -> dict[str, Any]:
    beyond = kept.last + timedelta(days=1)
    return {"range": {"timestamp": {"gte": kept.first.isoformat(), "lt": beyond.isoformat()}}}


def _filters(spans: Sequence[Span]) -> list[dict[str, Any]]:
    return [
        {"range": {"log_id": {"gte": lowest, "lte": highest}}}
        for lowest, highest in (id_bounds(*span) for span in spans)
    ]
