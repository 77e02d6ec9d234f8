"""Snapshots on a real Elasticsearch: taken, verified, restored beside or again; a keeper takes one a day."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from elasticsearch_place import configured, place, server

from logintel.main import main
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.snapshots import Snapshots
from logintel_collector.roles.keeper_role import KeeperRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores.elasticsearch import ElasticsearchClient
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_indices import creating
from logintel_collector.stores.elasticsearch_snapshots import Repository
from logintel_devstack.stack import Stack

DAYS = ("2026.11.20", "2026.11.21")


@pytest.fixture
def config(devstack: Stack, elasticsearch: str, elasticsearch_name: str) -> CollectorConfig:
    """With a repository of the test's own, and daily snapshots."""
    home = devstack.status()[elasticsearch_name].home
    made = configured(elasticsearch)
    name = server(made).prefix.rstrip("-")
    snapshots = {"repository": name, "location": str(home / "snapshots" / name), "daily": True, "keep": 2}
    data = made.model_dump(mode="json", exclude_unset=True)
    data["stores"]["elasticsearch"]["snapshots"] = snapshots
    return CollectorConfig.model_validate(data)


class Command:
    """`logintel collector ACTION --config FILE --json`: what it printed, or the words of its refusal."""

    def __init__(self, config: CollectorConfig, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._path, self._capsys = path / "collector.yaml", capsys
        self._path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_unset=True)))

    async def __call__(self, *words: str) -> str:
        code = await asyncio.to_thread(main, ["collector", *words, "--config", str(self._path), "--json"])
        out, err = self._capsys.readouterr()
        assert code == (1 if err else 0), err
        return err or "\n".join(json.loads(out)["done"])


async def fill(client: ElasticsearchClient, first: int = 0) -> None:
    entries = [
        Entry(b'%s%d"}}' % (creating(client.prefix, day), n), b'{"log_id":"%d","message":"m"}' % n)
        for day in DAYS
        for n in range(first, first + 50)
    ]
    assert (await BulkWriter(client).store(entries)).stored == 100


async def counts(client: ElasticsearchClient, pattern: str) -> dict[str, Any]:
    await client.ask("POST", f"/{pattern}/_refresh")
    rows = await client.ask("GET", f"/_cat/indices/{pattern}?format=json&h=index,docs.count")
    return {row["index"].replace(client.prefix, ""): int(row["docs.count"]) for row in rows}


def test_what_a_snapshot_has_comes_back(
    config: CollectorConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(config, tmp_path, capsys)
    logs = [f"engineering_logs-{day}" for day in DAYS]

    async def scenario() -> None:
        async with place(server(config)) as client:
            whole = [f"{client.prefix}{name}" for name in logs]
            await fill(client)
            taken = await command("snapshot")
            name = taken.partition(":")[0]
            assert taken.startswith(f"{name}: SUCCESS, 2 indices, begun ")
            assert await command("snapshot", "--list") == taken
            assert "the list of files of every shard can be read" in await command("snapshot", "--verify", name)
            await fill(client, 50)
            # Beside what is there.
            said = await command("restore", name, "--rename", "restored-")
            assert f"restored from {name}: restored-{whole[0]}, restored-{whole[1]}" in said
            assert await counts(client, f"restored-{client.prefix}*") == {f"restored-{each}": 50 for each in logs}
            # Nothing that is open is overwritten.
            said = await command("restore", name)
            assert f"{whole[0]}, {whole[1]}: there and open, and nothing is overwritten: restore beside it with" in said
            assert await counts(client, f"{client.prefix}*") == dict.fromkeys(logs, 100)
            await client.ask("DELETE", f"/{whole[0]}")
            said = await command("restore", name, "--only", whole[0])
            assert "the keeper deletes what of it has arrived before" in said
            assert await counts(client, f"{client.prefix}*") == {logs[0]: 50, logs[1]: 100}
            said = await command("restore", name, "--only", "nothing")
            assert f"has no nothing: it has {whole[0]}" in said
            assert "`logintel collector snapshot --list` shows" in await command("restore", f"{client.prefix}none")

    asyncio.run(scenario())


def test_a_snapshot_that_cannot_be_read_is_told(
    config: CollectorConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(config, tmp_path, capsys)

    async def scenario() -> None:
        async with place(server(config)) as client:
            await fill(client)
            name = (await command("snapshot")).partition(":")[0]
            snapshots = server(config).snapshots
            assert snapshots
            assert snapshots.location
            shutil.rmtree(Path(snapshots.location) / "indices")
            said = await command("snapshot", "--verify", name)
            assert "cannot be restored: files of it are not in the repository any more: delete it" in said
            said = await command("snapshot", "--repository", "nowhere")
            assert "missing: name its location or bucket in stores.elasticsearch.snapshots" in said

    asyncio.run(scenario())


def test_a_place_that_is_no_repository_is_told(
    config: CollectorConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(**snapshots: str) -> str:
        data = config.model_dump(mode="json", exclude_unset=True)
        data["stores"]["elasticsearch"]["snapshots"] = {"repository": "somewhere", **snapshots}
        return asyncio.run(Command(CollectorConfig.model_validate(data), tmp_path, capsys)("snapshot"))

    assert "below a path.repo of every node" in said(location="/nowhere")
    assert "repository type [s3] does not exist" in said(bucket="b"), "this Elasticsearch has no S3"


def test_a_keeper_takes_one_a_day_and_deletes_the_oldest(config: CollectorConfig) -> None:
    async def kept() -> Snapshots:
        chore = Snapshots(server(config))
        await run_roles([KeeperRole([chore])], asyncio.Event(), once=True)
        return chore

    async def scenario() -> None:
        async with place(server(config)) as client:
            await fill(client)
            snapshots = server(config).snapshots
            assert snapshots
            repository, now = Repository(client, snapshots), datetime.now(UTC)
            await repository.prepare()
            before = [repository.name_of(now - timedelta(days=days), daily=True) for days in (3, 2, 1)]
            by_hand = repository.name_of(now - timedelta(days=9), daily=False)
            for name in (by_hand, *before):
                await repository.take(name)
            chores = await asyncio.gather(kept(), kept())
            assert sum(chore.snapshots_deleted for chore in chores) >= 2
            today = {repository.name_of(moment, daily=True) for moment in (now, datetime.now(UTC))}
            left = [each.name for each in await repository.all()]
            assert left[:2] == [by_hand, before[2]]
            assert set(left[2:]) <= today
            assert (await kept()).summary() == {"snapshots_taken": 0, "snapshots_deleted": 0}

    asyncio.run(scenario())
