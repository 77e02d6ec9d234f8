"""Snapshots of the indices in a repository of Elasticsearch: taken, listed, verified, deleted, restored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from logintel_collector.config import SnapshotsConfig
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError
from logintel_collector.stores.elasticsearch_indices import ALERTS, ANALYTICS, LOGS

#: Seconds between two looks at how far a snapshot or a restoring is. Neither has a bound: what it takes is the data's.
_LOOK_EVERY: Final = 0.25
_NOT_FOUND: Final = 404
#: How Elasticsearch calls a snapshot that it does not know, and a file of one that is not there.
_MISSING: Final = "snapshot_missing_exception"
#: And what it answers to a name that is there, or is being made.
_TAKEN: Final = "invalid_snapshot_name_exception"
_RUNNING: Final = frozenset({"IN_PROGRESS", "STARTED", "INIT"})


class Snapshot(NamedTuple):
    """A snapshot: `state` SUCCESS, PARTIAL, FAILED, INCOMPATIBLE or IN_PROGRESS; `started` ISO 8601."""

    name: str
    state: str
    started: str
    indices: tuple[str, ...]
    failures: tuple[str, ...]


class Repository:
    """A repository, and in it the snapshots of one logintel: `PREFIXlogintel-YYYY.MM.DD…`. Calls raise
    ElasticsearchError."""

    def __init__(self, client: ElasticsearchClient, config: SnapshotsConfig) -> None:
        self._client, self._config = client, config
        self._path = f"/_snapshot/{quote(config.repository, safe='')}"
        self._prefix = f"{client.prefix}logintel-"
        self._indices = [f"{client.prefix}{kind}*" for kind in (LOGS, ALERTS, ANALYTICS)]

    def name_of(self, moment: datetime, *, daily: bool) -> str:
        """The name of a snapshot begun then: that of a day for all keepers, or of a second."""
        return f"{self._prefix}{moment:{'%Y.%m.%d' if daily else '%Y.%m.%d-%H%M%S'}}"

    def is_daily(self, name: str) -> bool:
        """Whether a keeper of ours has taken it."""
        day = name.removeprefix(self._prefix)
        return name.startswith(self._prefix) and re.fullmatch(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2}", day) is not None

    async def prepare(self) -> None:
        """Make it known to Elasticsearch, where the configuration says what it is; every node tries it."""
        body = self._config.body
        if body is None:
            return
        found = await self._found()
        if found.get("type") == body["type"] and found.get("settings", {}).items() >= body["settings"].items():
            return
        await self._client.ask("PUT", self._path, body)

    async def verify(self) -> int:
        """How many nodes can write to it."""
        return len((await self._client.ask("POST", f"{self._path}/_verify"))["nodes"])

    async def take(self, name: str) -> Snapshot:
        """Take one and wait for its end; one of this name that others have begun is waited for."""
        body = {
            "indices": self._indices,
            "include_global_state": False,
            "feature_states": ["none"],
            "metadata": {"taken_by": "logintel"},
        }
        try:
            await self._client.ask("PUT", f"{self._path}/{name}?wait_for_completion=false", body)
        except ElasticsearchError as error:
            if error.kind != _TAKEN:
                raise
        while True:
            found = await self.one(name)
            if found.state not in _RUNNING:
                return found
            await asyncio.sleep(_LOOK_EVERY)

    async def one(self, name: str) -> Snapshot:
        """A snapshot by its name, whoever took it."""
        found = (await self._client.ask("GET", f"{self._path}/{quote(name, safe='')}"))["snapshots"]
        return _snapshot(found[0])

    async def all(self) -> list[Snapshot]:
        """Ours, the oldest first."""
        found = (await self._client.ask("GET", f"{self._path}/{self._prefix}*"))["snapshots"]
        return sorted((_snapshot(each) for each in found), key=lambda each: each.started)

    async def unreadable(self, name: str) -> str:
        """What of a whole snapshot could not be restored; "": nothing. Reads each shard's list of files."""
        try:
            found = await self._client.ask("GET", f"{self._path}/{quote(name, safe='')}/_status")
        except ElasticsearchError as error:
            if error.kind != _MISSING:
                raise
            return "files of it are not in the repository any more"
        shards = [
            f"{index}[{number}]"
            for index, each in found["snapshots"][0]["indices"].items()
            for number, shard in each["shards"].items()
            if shard["stage"] != "DONE"
        ]
        return f"it has not {', '.join(shards)}" if shards else ""

    async def delete(self, name: str) -> None:
        """Delete one, unless somebody has; files that others need stay."""
        try:
            await self._client.ask("DELETE", f"{self._path}/{quote(name, safe='')}")
        except ElasticsearchError as error:
            if error.kind != _MISSING:
                raise

    async def restore(self, name: str, indices: Sequence[str], rename: str) -> AsyncIterator[int]:
        """Restore indices under `rename` and their name; how many of their shards are there, again and again."""
        body = {
            "indices": list(indices),
            "include_global_state": False,
            "include_aliases": False,
            "feature_states": ["none"],
            **({"rename_pattern": "^(.+)$", "rename_replacement": f"{rename}$1"} if rename else {}),
        }
        await self._client.ask("POST", f"{self._path}/{quote(name, safe='')}/_restore", body)
        restored = [f"{rename}{index}" for index in indices]
        while True:
            done, total = await self._restored(restored)
            yield done
            if done == total:
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def open_ones(self, indices: Sequence[str]) -> list[str]:
        """Those of these that are there and open."""
        rows = await self._client.ask("GET", "/_cat/indices?format=json&h=index,status&expand_wildcards=open,hidden")
        there = {row["index"] for row in rows if row["status"] == "open"}
        return [index for index in indices if index in there]

    async def _restored(self, indices: Sequence[str]) -> tuple[int, int]:
        """Primary shards that are there, and all. Raises ElasticsearchError when one cannot be restored."""
        rows = await self._client.ask("GET", "/_cat/shards?format=json&h=index,shard,prirep,state,unassigned.reason")
        mine = [row for row in rows if row["index"] in set(indices) and row["prirep"] == "p"]
        failed = [
            row for row in mine if row["state"] == "UNASSIGNED" and row["unassigned.reason"] == "ALLOCATION_FAILED"
        ]
        if failed:
            names = ", ".join(sorted({row["index"] for row in failed}))
            raise ElasticsearchError(f"{self._client.at} could not restore {names}: its log says why")
        return sum(row["state"] == "STARTED" for row in mine), len(mine)

    async def _found(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = (await self._client.ask("GET", self._path))[self._config.repository]
        except ElasticsearchError as error:
            if error.status != _NOT_FOUND:
                raise
            return {}
        return found


def _snapshot(found: dict[str, Any]) -> Snapshot:
    failures = (f"{each['index']}[{each['shard_id']}]: {each['reason'][:200]}" for each in found.get("failures", []))
    indices = tuple(sorted(found["indices"]))
    return Snapshot(found["snapshot"], found["state"], found.get("start_time", ""), indices, tuple(failures))
