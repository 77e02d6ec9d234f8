"""Metrics in engineering_analytics, read back as the points that they were. Synchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from logintel.refused import Refused
from logintel_collector.analytics.point import ALL, DIMENSIONS, Period, Point, start_of
from logintel_collector.config import ElasticsearchConfig
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError
from logintel_collector.stores.elasticsearch_indices import metric_index

#: Metrics in one answer, and seconds that it may take.
_PAGE: Final = 5000
_TIMEOUT: Final = 30.0


def stored_points(config: ElasticsearchConfig, period: Period, dimension: str, since: str) -> Iterator[Point]:
    """The points of a dimension from `since` on, oldest first. Raises Refused when Elasticsearch is away."""
    for (timestamp, value), metrics in groupby(_metrics(config, period, dimension, since), _series):
        yield Point(
            period, start_of(timestamp), dimension, value, {one["metric_name"]: one["value"] for one in metrics}
        )


def _series(metric: dict[str, Any]) -> tuple[str, str]:
    return metric["timestamp"], next(iter(metric["dimensions"].values()), "")


def _metrics(config: ElasticsearchConfig, period: Period, dimension: str, since: str) -> Iterator[dict[str, Any]]:
    """The documents, those of a point after each other."""
    filters: list[dict[str, Any]] = [
        {"term": {"aggregation_period": period}},
        {"range": {"timestamp": {"gte": since}}},
    ]
    others = [f"dimensions.{name}" for name in DIMENSIONS if name != dimension]
    sorting = ["timestamp"]
    if dimension != ALL:
        filters.append({"exists": {"field": f"dimensions.{dimension}"}})
        sorting.append(f"dimensions.{dimension}")
    query = {"bool": {"filter": filters, "must_not": [{"exists": {"field": name}} for name in others]}}
    sort = [{name: {"order": "asc", "unmapped_type": "keyword"}} for name in (*sorting, "metric_name")]
    body: dict[str, Any] = {"size": _PAGE, "query": query, "sort": sort, "track_total_hits": False}
    client = ElasticsearchClient(config)
    path = f"/{metric_index(config.prefix, '*')}/_search?allow_partial_search_results=false"
    with asyncio.Runner() as runner:
        try:
            while True:
                hits = runner.run(client.ask("POST", path, body, _TIMEOUT))["hits"]["hits"]
                yield from (hit["_source"] for hit in hits)
                if len(hits) < _PAGE:
                    return
                body = {**body, "search_after": hits[-1]["sort"]}
        except ElasticsearchError as error:
            raise Refused(str(error)) from error
        finally:
            runner.run(client.close())
