"""Retention of the indices: whole ones are deleted when all that they hold is old, and none that is not ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson

from logintel_collector.processor import stamp
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError
from logintel_collector.stores.elasticsearch_indices import ALERTS, ANALYTICS, LOGS, OUTLIERS, index_of

#: Documents that are deleted in one request.
_CHUNK: Final = 1000
_NAME: Final = re.compile(rf"({LOGS}|{ALERTS}|{ANALYTICS})-([0-9]{{4}})\.([0-9]{{2}})(?:\.([0-9]{{2}}))?")
_NOT_FOUND: Final = 404


class DatedIndex(NamedTuple):
    """An index of a day or of a month.

    kind   LOGS, by day; ALERTS and ANALYTICS, by month
    end    the first day that it is not for
    bytes  on disk, with all copies; None: unknown, as of a closed one
    """

    name: str
    kind: str
    end: date
    bytes: int | None
    is_open: bool


async def dated_indices(client: ElasticsearchClient) -> list[DatedIndex]:
    """Those of this prefix, the oldest first. Raises ElasticsearchError."""
    patterns = ",".join(f"{client.prefix}{kind}-*" for kind in (LOGS, ALERTS, ANALYTICS))
    path = f"/_cat/indices/{patterns}?format=json&bytes=b&h=index,status,store.size&expand_wildcards=open,closed"
    rows = await client.ask("GET", path)
    found = [index for row in rows if (index := _dated(client.prefix, row)) is not None]
    return sorted(found, key=lambda index: (index.end, index.name))


async def delete_old(client: ElasticsearchClient, before: datetime) -> list[str]:
    """Delete the indices of which all has happened and arrived `before`; their names. Raises ElasticsearchError."""
    return [
        index.name
        for index in await dated_indices(client)
        if index.end <= before.date() and await _delete_if_old(client, index, before)
    ]


async def delete_most(client: ElasticsearchClient, room: int, today: date) -> list[str]:
    """Delete the oldest indices of events until the others take at most `room` bytes, but none of today; their names.

    Raises ElasticsearchError.
    """
    indices = [index for index in await dated_indices(client) if index.kind == LOGS]
    used, deleted = sum(index.bytes or 0 for index in indices), []
    for index in indices:
        if used <= room or index.end > today:
            break
        used -= index.bytes or 0
        await _delete(client, index.name)
        deleted.append(index.name)
    return deleted


async def delete_old_outliers(client: ElasticsearchClient, before: datetime) -> int:
    """Delete the events of the outlier index that arrived `before`; how many. Raises ElasticsearchError."""
    index, deleted = index_of(client.prefix, OUTLIERS), 0
    query = {"range": {"created_at": {"lt": stamp(before)}}}
    while True:
        try:
            found = await client.ask("POST", f"/{index}/_search", {"query": query, "size": _CHUNK, "_source": False})
        except ElasticsearchError as error:
            if error.status == _NOT_FOUND:
                return deleted
            raise
        ids = [hit["_id"] for hit in found["hits"]["hits"]]
        if ids:
            deleted += await _delete_documents(client, index, ids)
        if len(ids) < _CHUNK:
            return deleted


async def _delete_if_old(client: ElasticsearchClient, index: DatedIndex, before: datetime) -> bool:
    """What is for alerts and metrics is as old as its month, and so is what is closed: nothing can have come later."""
    try:
        if index.kind == LOGS and index.is_open and not await _holds_only_old(client, index, before):
            return False
    except ElasticsearchError as error:
        if error.status != _NOT_FOUND:
            raise
        return False
    return await _delete(client, index.name)


async def _holds_only_old(client: ElasticsearchClient, index: DatedIndex, before: datetime) -> bool:
    """Whether all its events arrived `before`. If so, it takes no further one."""
    if await _newest(client, index.name) >= before:
        return False
    # An event may come between a look and the deletion: now it waits, and then makes the index anew.
    await client.ask("PUT", f"/{index.name}/_block/write")
    if await _newest(client, index.name) >= before:
        await client.ask("PUT", f"/{index.name}/_settings", {"index.blocks.write": None})
        return False
    return True


async def _newest(client: ElasticsearchClient, index: str) -> datetime:
    """When the last of its events arrived; long ago where there is none."""
    await client.ask("POST", f"/{index}/_refresh")
    body = {"size": 0, "aggs": {"newest": {"max": {"field": "created_at"}}}}
    milliseconds = (await client.ask("POST", f"/{index}/_search", body))["aggregations"]["newest"]["value"]
    return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)


async def _delete(client: ElasticsearchClient, index: str) -> bool:
    """By its whole name. Another keeper may have been there before."""
    try:
        await client.ask("DELETE", f"/{index}")
    except ElasticsearchError as error:
        if error.status != _NOT_FOUND:
            raise
        return False
    return True


async def _delete_documents(client: ElasticsearchClient, index: str, ids: Sequence[str]) -> int:
    """Raises ElasticsearchError where one cannot be deleted: the others are."""
    body = b"".join(orjson.dumps({"delete": {"_id": each}}) + b"\n" for each in ids)
    answers = (await client.ask("POST", f"/{index}/_bulk?refresh=true", body))["items"]
    failed = [each["delete"] for each in answers if each["delete"]["status"] not in (200, _NOT_FOUND)]
    if failed:
        kind = failed[0].get("error", {}).get("type", "")
        raise ElasticsearchError(f"{client.at}: {failed[0]['status']} {kind} while deleting from {index}")
    return sum(each["delete"]["status"] == 200 for each in answers)


def _dated(prefix: str, row: dict[str, Any]) -> DatedIndex | None:
    """None: not one of ours, or not of a day or month."""
    found = _NAME.fullmatch(row["index"].removeprefix(prefix)) if row["index"].startswith(prefix) else None
    if found is None or (found[1] == LOGS) != (found[4] is not None):
        return None
    try:
        first = date(int(found[2]), int(found[3]), int(found[4] or 1))
        next_month = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        end = first + timedelta(days=1) if found[4] else next_month
    except (ValueError, OverflowError):
        return None
    size = row["store.size"]
    return DatedIndex(row["index"], found[1], end, int(size) if size else None, row["status"] == "open")
