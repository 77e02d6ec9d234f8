"""Events in Elasticsearch as the analyst reads them: what is new by sequence number, buckets by aggregation.

Dates cannot tell what is new: an event may wait for hours before it is indexed. But every shard numbers its operations,
and up to its global checkpoint it has all of them, on every copy and for good
(https://www.elastic.co/blog/elasticsearch-sequence-ids-6-0). After a refresh all of these can be searched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from logintel_collector.analytics.latency import PERCENTS, Latency
from logintel_collector.analytics.look import Place
from logintel_collector.analytics.measures import ERRORS, Measures
from logintel_collector.analytics.point import ALL, PERIODS, Period, day_of, runs
from logintel_collector.analytics.rollup import Row
from logintel_collector.stores.elasticsearch import ElasticsearchClient
from logintel_collector.stores.elasticsearch_indices import OUTLIERS, index_of

#: Buckets in one answer: of minutes alone, and with all that is counted in each.
_MINUTES: Final = 5000
_PAGE: Final = 500
_STATS: Final = "indices.*.uuid,indices.*.shards.*.seq_no.global_checkpoint,indices.*.shards.*.routing.primary"
_ANSWER: Final = ",".join(
    f"aggregations.found.{part}"
    for part in (
        "after_key",
        "buckets.key",
        "buckets.doc_count",
        "buckets.size.value",
        "buckets.errors.doc_count",
        "buckets.latency.values",
    )
)
#: Never a part of the events: an answer without some shards is an error.
_WHOLE: Final = "allow_partial_search_results=false&ignore_unavailable=true"
_MEASURES: Final = {
    "size": {"sum": {"field": "size_bytes"}},
    "errors": {"filter": {"terms": {"level": ERRORS}}},
    "latency": {"percentiles": {"field": "latency_ms", "percents": PERCENTS}},
}
#: The fields of each dimension: what the record says goes before what the agent says.
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    ALL: (),
    "source_id": ("source_id",),
    "level": ("level",),
    "category": ("category",),
    "host": ("parsed_fields.host", "metadata.host"),
    "service": ("parsed_fields.service", "metadata.service"),
}


class ElasticsearchEvents:
    """See Events. A place is a shard. Raises ElasticsearchError."""

    def __init__(self, client: ElasticsearchClient) -> None:
        self._client = client
        self._days: set[str] = set()

    async def places(self) -> list[Place]:
        """See Events. A shard without a primary is left out, as if nothing had come: it is seen when it is back."""
        path = f"/{index_of(self._client.prefix, '*')}/_stats/docs?level=shards&filter_path={_STATS}"
        indices = (await self._client.ask("GET", path)).get("indices", {})
        self._days = {name.removeprefix(index_of(self._client.prefix, "")) for name in indices}
        return [
            Place(f"{index['uuid']}/{number}", f"{name}/{number}", copy["seq_no"]["global_checkpoint"])
            for name, index in indices.items()
            for number, copies in index.get("shards", {}).items()
            for copy in copies
            if copy["routing"]["primary"] and "seq_no" in copy
        ]

    async def touched(self, place: Place, after: int, upto: int) -> set[int]:
        """See Events. Outliers belong to the minute in which they came."""
        index, _, shard = place.where.rpartition("/")
        await self._client.ask("POST", f"/{index}/_refresh?filter_path=_shards.failed")
        body = {"query": {"range": {"_seq_no": {"gt": after, "lte": upto}}}}
        field = "created_at" if index == self._outliers else "timestamp"
        sources = [_begins(field, "minute")]
        found: set[int] = set()
        async for page in self._pages(f"{index}?preference=_shards:{shard}&", body, sources, {}, _MINUTES):
            found.update(bucket["key"]["start"] // 1000 for bucket in page)
        return found

    async def rows(self, period: Period, starts: Sequence[int]) -> AsyncIterator[list[Row]]:
        """See Events. One dimension after the other: no server has to keep all their combinations."""
        indices = ",".join(dict.fromkeys(index_of(self._client.prefix, day_of(start)) for start in starts))
        for dimension, fields in _FIELDS.items():
            sources = [_begins("timestamp", period), *(_term(field) for field in fields)]
            query = _query("timestamp", period, starts)
            async for page in self._pages(f"{indices}?", query, sources, _MEASURES, _PAGE):
                rows = [_row(dimension, fields, bucket) for bucket in page]
                yield rows
        if OUTLIERS in self._days:
            query, sources = _query("created_at", period, starts), [_begins("created_at", period)]
            async for page in self._pages(f"{self._outliers}?", query, sources, {}, _PAGE):
                yield [_outliers(bucket) for bucket in page]

    def keeps(self, day: str) -> bool:
        """See Events. Outliers may have come on any day."""
        return day in self._days or OUTLIERS in self._days

    @property
    def _outliers(self) -> str:
        return index_of(self._client.prefix, OUTLIERS)

    async def _pages(
        self, where: str, query: dict[str, Any], sources: list[dict[str, Any]], measures: dict[str, Any], size: int
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """The buckets of a composite aggregation, page by page; `where`: the index, and its first parameters."""
        index, _, parameters = where.partition("?")
        path = f"/{index}/_search?{parameters}{_WHOLE}&filter_path={_ANSWER}"
        composite: dict[str, Any] = {"size": size, "sources": sources}
        while True:
            found = {"found": {"composite": composite, "aggs": measures}}
            answer = await self._client.ask(
                "POST", path, {**query, "size": 0, "track_total_hits": False, "aggs": found}
            )
            page = answer.get("aggregations", {}).get("found", {})
            buckets = page.get("buckets", [])
            if buckets:
                yield buckets
            if len(buckets) < size:
                return
            composite = {**composite, "after": page["after_key"]}


def _begins(field: str, period: Period) -> dict[str, Any]:
    return {"start": {"date_histogram": {"field": field, "fixed_interval": f"{PERIODS[period]}s"}}}


def _term(field: str) -> dict[str, Any]:
    return {field: {"terms": {"field": field, "missing_bucket": True}}}


def _query(field: str, period: Period, starts: Sequence[int]) -> dict[str, Any]:
    seconds = PERIODS[period]
    ranges = [
        {"range": {field: {"gte": first * 1000, "lt": end * 1000, "format": "epoch_millis"}}}
        for first, end in runs(starts, seconds)
    ]
    return {"query": {"bool": {"filter": {"bool": {"should": ranges}}}}}


def _row(dimension: str, fields: Sequence[str], bucket: dict[str, Any]) -> Row:
    count, start = bucket["doc_count"], bucket["key"]["start"] // 1000
    value = next((bucket["key"][field] for field in fields if bucket["key"][field]), None)
    latency = Latency.between(bucket["latency"]["values"], count)
    measures = Measures(count, int(bucket["size"]["value"]), bucket["errors"]["doc_count"], latency=latency)
    return Row((dimension, start), start, ((dimension, value),), measures)


def _outliers(bucket: dict[str, Any]) -> Row:
    start = bucket["key"]["start"] // 1000
    return Row(("outliers", start), start, ((ALL, None),), Measures(outliers=bucket["doc_count"]))
