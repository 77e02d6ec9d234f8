"""Elasticsearch with TLS, users and API keys: the roles that docs/indices.md gives are enough, and no more."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from elasticsearch_place import configured, place, server

from logintel.main import main
from logintel_collector.alert import Alert
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.indices import Indices
from logintel_collector.keeping.snapshots import Snapshots
from logintel_collector.notifier.index import IndexChannel
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError, connected
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_indices import creating, is_set_up, set_up
from logintel_devstack.elasticsearch_secured import ADMIN
from logintel_devstack.stack import Stack

DOCS = Path(__file__).parents[2] / "docs/indices.md"
ROLE = re.compile(r"^PUT /_security/role/(?P<name>\w+)\n(?P<body>\{.*?^\})", re.MULTILINE | re.DOTALL)
DAY = "2026.11.22"


@pytest.fixture(scope="module")
def secured(devstack: Stack) -> Iterator[CollectorConfig]:
    """Of the administrator, with names of this module's own."""
    address = devstack.up(["elasticsearch-secured"])["elasticsearch-secured"]
    home = devstack.status()["elasticsearch-secured"].home
    login = {"username": ADMIN, "password": (home / "password").read_text(), "ca_certs": str(home / "ca.pem")}
    snapshots = {"repository": "r", "location": str(home / "snapshots" / "r"), "daily": True}
    yield configured(address, elasticsearch={**login, "snapshots": snapshots})
    devstack.down(["elasticsearch-secured"])


def shown() -> dict[str, Any]:
    """Role → what it may, from the documentation."""
    return {found["name"]: json.loads(found["body"]) for found in ROLE.finditer(DOCS.read_text("utf-8"))}


def with_login(config: CollectorConfig, **login: Any) -> CollectorConfig:
    """The same with another login."""
    old = config.model_dump(mode="json", exclude_unset=True)["stores"]["elasticsearch"]
    kept = {name: value for name, value in old.items() if name not in ("username", "password")}
    return CollectorConfig.model_validate({"stores": {"elasticsearch": {**kept, **login}}})


def named(prefix: str, role: dict[str, Any]) -> dict[str, Any]:
    """A role for the indices with a prefix."""
    indices = [{**part, "names": [f"{prefix}{name}" for name in part["names"]]} for part in role["indices"]]
    return {**role, "indices": indices}


async def key_of(admin: ElasticsearchClient, config: CollectorConfig, role: str) -> CollectorConfig:
    """A configuration that logs in with an API key that may what a role of the documentation may."""
    body = named(admin.prefix, shown()[role])
    made = await admin.ask("POST", "/_security/api_key", {"name": role, "role_descriptors": {role: body}})
    return with_login(config, api_key=made["encoded"])


def entries(client: ElasticsearchClient, *bodies: dict[str, Any], first: int = 0) -> list[Entry]:
    action = creating(client.prefix, DAY)
    return [Entry(b'%s%d"}}' % (action, n), json.dumps(body).encode()) for n, body in enumerate(bodies, first)]


def alert(level: int) -> dict[str, Any]:
    stamp = "2026-11-22T10:00:00.000000Z"
    return asdict(Alert("a1", "t", "d", "HIGH", "OPEN", None, None, "r1", stamp, escalation_level=level))


def refused() -> Any:
    return pytest.raises(ElasticsearchError, match="give this user the right")


def test_who_stores_events_and_alerts_needs_no_more_than_its_role(secured: CollectorConfig) -> None:
    bodies: list[dict[str, Any]] = [{"metadata": {"code": 5}}, {"metadata": {"code": "abc"}}]
    bodies.append({"metadata": {f"k{n}": 1 for n in range(2000)}})

    async def scenario() -> None:
        async with place(server(secured)) as admin:
            writer = server(await key_of(admin, secured, "logintel_writer"))
            async with connected(writer) as client:
                assert await is_set_up(client)
                store = BulkWriter(client).store
                assert (await store(entries(client, bodies[0]))).stored == 1
                outcome = await store(entries(client, *bodies))
                assert (outcome.stored, outcome.repeats, len(outcome.mended)) == (2, 1, 2)
                assert outcome.overflowed == 1
                with refused():
                    await client.ask("PUT", f"/{client.prefix}engineering_logs-{DAY}/_doc/0", {})
                with refused():
                    await client.ask("DELETE", f"/{client.prefix}engineering_logs-{DAY}")
                with refused():
                    await set_up(client, writer.model_copy(update={"shards": 5}))
                with refused():
                    await client.ask("PUT", "/somebody_elses/_doc/1", {})
            channel = IndexChannel(writer)
            for level in (1, 2):
                await channel.put(alert(level), level)
            await channel.close()

    asyncio.run(scenario())


def test_who_keeps_the_indices_needs_no_more_than_its_role(secured: CollectorConfig) -> None:
    old = {"created_at": "2020-01-01T00:00:00Z"}

    async def scenario() -> None:
        async with place(server(secured)) as admin:
            keeper = await key_of(admin, secured, "logintel_keeper")
            days = ("2020.01.01", "outliers", DAY)
            actions = [creating(admin.prefix, day) for day in days]
            events = [Entry(b'%se"}}' % action, json.dumps(old).encode()) for action in actions]
            assert (await BulkWriter(admin).store(events)).stored == 3
            await admin.ask("POST", f"/{admin.prefix}engineering_logs-*/_refresh")
            async with connected(server(keeper)) as client:
                assert await set_up(client, server(keeper).model_copy(update={"shards": 2})) != []
                with refused():
                    await client.ask("DELETE", f"/other-{client.prefix}")
            snapshots, indices = Snapshots(server(keeper)), Indices(keeper)
            for chore in (snapshots, indices):
                await chore.keep()
            assert snapshots.snapshots_taken == 1
            assert (indices.indices_deleted, indices.outliers_deleted) == (1, 1)
            assert (await admin.ask("GET", f"/{admin.prefix}engineering_logs-{DAY}/_count"))["count"] == 1

    asyncio.run(scenario())


def test_a_user_searches_with_a_password(
    secured: CollectorConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "collector.yaml"
    user = {"username": "reader", "password": "reader-password"}

    def search(**login: str) -> tuple[int, str, str]:
        data = with_login(secured).model_dump(mode="json", exclude_unset=True)
        data["stores"]["elasticsearch"] |= login
        path.write_text(yaml.safe_dump(data))
        return (main(["search", "*", "--count", "--config", str(path)]), *capsys.readouterr())

    async def scenario() -> None:
        async with place(server(secured)) as admin:
            assert (await BulkWriter(admin).store(entries(admin, {"message": "m"}))).stored == 1
            await admin.ask("POST", f"/{admin.prefix}engineering_logs-*/_refresh")
            await admin.ask("PUT", "/_security/role/reader", named(admin.prefix, shown()["logintel_reader"]))
            await admin.ask("PUT", "/_security/user/reader", {"password": user["password"], "roles": ["reader"]})
            code, out, _ = await asyncio.to_thread(search, **user)
            assert (code, out.strip()) == (0, "1")
            code, _, err = await asyncio.to_thread(search, username="reader", password="wrong")
            assert code == 1
            assert "does not let us in: check api_key, or username and password" in err
            assert "wrong" not in err
            async with connected(server(with_login(secured, **user))) as client:
                with refused():
                    await client.ask("PUT", f"/{client.prefix}engineering_logs-{DAY}/_doc/x", {})

    asyncio.run(scenario())


def test_a_key_is_refused_with_what_to_do(secured: CollectorConfig) -> None:
    async def scenario() -> None:
        async with connected(server(with_login(secured, api_key="bm86dGhpbmc="))) as client:
            with pytest.raises(ElasticsearchError, match="does not let us in: check api_key") as caught:
                await client.ask("GET", "/_cluster/health")
        assert "bm86dGhpbmc" not in str(caught.value)

    asyncio.run(scenario())


def test_a_server_that_nobody_vouches_for_is_not_talked_to(secured: CollectorConfig) -> None:
    async def told(**changed: Any) -> str:
        config = server(secured).model_copy(update=changed)
        async with connected(config) as client:
            with pytest.raises(ElasticsearchError) as caught:
                await client.ask("GET", "/_cluster/health")
        return str(caught.value)

    assert "check ca_certs of stores.elasticsearch" in asyncio.run(told(ca_certs=None))
    (host,) = server(secured).hosts
    assert "is it running and reachable" in asyncio.run(told(hosts=(host.replace("https:", "http:"),)))
