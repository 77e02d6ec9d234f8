"""Search in Elasticsearch: newest first, page by page, with the calls of the search in the SQLite file. Synchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from logintel.event import Json
from logintel.refused import Refused
from logintel_collector.config import ElasticsearchConfig
from logintel_collector.query.error import QueryError
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError
from logintel_collector.stores.elasticsearch_indices import LOGS

#: Documents that one answer holds: few enough for memory when all are as long as they may be.
PAGE: Final = 200
#: Seconds that one answer may take.
TIMEOUT: Final = 30.0
#: A total order, so that each page goes on exactly behind the one before; log_id rises within a stream.
_SORT: Final = [
    {"timestamp": {"order": "desc", "unmapped_type": "date"}},
    {"log_id": {"order": "desc", "unmapped_type": "keyword"}},
]


class ElasticsearchSearch:
    """Over all indices of events. Calls raise QueryError when the query is refused, Refused when the server is away."""

    def __init__(self, config: ElasticsearchConfig) -> None:
        self._client = ElasticsearchClient(config)
        self._indices = f"{config.prefix}{LOGS}-*"
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def count(self, query: Json) -> int:
        """How many documents match a Query DSL object."""
        return int(self._ask("_count", {"query": query})["count"])

    def documents(self, query: Json, limit: int | None = None) -> Iterator[dict[str, Json]]:
        """The matching documents, newest first, at most `limit`; None: all."""
        left = limit
        after: dict[str, Any] = {}
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            body = {"query": query, "size": size, "sort": _SORT, "track_total_hits": False, **after}
            hits = self._ask("_search", body)["hits"]["hits"]
            yield from (hit["_source"] for hit in hits)
            if len(hits) < size:
                return
            after = {"search_after": hits[-1]["sort"]}
            left = None if left is None else left - size

    def _ask(self, what: str, body: dict[str, Any]) -> Any:
        try:
            return self._runner.run(self._client.ask("POST", f"/{self._indices}/{what}", body, TIMEOUT))
        except ElasticsearchError as error:
            if error.status == 400:
                raise QueryError("query", str(error)) from error
            raise Refused(str(error)) from error
