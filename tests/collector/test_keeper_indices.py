"""The keeper on a real Elasticsearch: old indices go, whole, none that is not ours; templates follow an upgrade."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from elasticsearch_place import configured, names, place, server

from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.indices import Indices
from logintel_collector.processor import stamp
from logintel_collector.roles.keeper_role import KeeperRole
from logintel_collector.roles.runner import run_roles
from logintel_collector.stores import elasticsearch_retention
from logintel_collector.stores.elasticsearch import ElasticsearchClient
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry
from logintel_collector.stores.elasticsearch_indices import creating
from logintel_collector.stores.elasticsearch_retention import delete_old

DAY = timedelta(days=1)


async def kept(config: CollectorConfig) -> Indices:
    chore = Indices(config)
    await run_roles([KeeperRole([chore])], asyncio.Event(), once=True)
    return chore


def logs(day: date) -> str:
    return f"engineering_logs-{day:%Y.%m.%d}"


def event(prefix: str, name: str, day: str, arrived: datetime, **more: Any) -> Entry:
    body = orjson.dumps({"log_id": name, "created_at": stamp(arrived), **more})
    return Entry(b'%s%s"}}' % (creating(prefix, day), name.encode()), body)


async def fill(client: ElasticsearchClient, arrivals: dict[date | str, datetime]) -> None:
    """An event in the index of each day (or "outliers"), arrived then."""
    entries = [
        event(client.prefix, f"{n}", f"{day:%Y.%m.%d}" if isinstance(day, date) else day.partition("/")[0], arrived)
        for n, (day, arrived) in enumerate(arrivals.items())
    ]
    assert (await BulkWriter(client).store(entries)).stored == len(entries)


def test_what_is_older_than_the_retention_goes_and_nothing_else(elasticsearch: str) -> None:
    config = configured(elasticsearch, retention={"days": 40})
    now = datetime.now(UTC)
    today = now.date()
    long_ago = now - 100 * DAY
    late, old, closed, recent = (today - days * DAY for days in (50, 60, 70, 39))

    async def scenario() -> None:
        async with place(server(config)) as client:
            await fill(
                client,
                {late: now, old: now - 60 * DAY, closed: now, recent: now - 39 * DAY, today: now,
                 "outliers/old": long_ago, "outliers/new": now},
            )  # fmt: skip
            ours = [f"engineering_{kind}-2020.03" for kind in ("alerts", "analytics")]
            ours += [f"engineering_{kind}-{today:%Y.%m}" for kind in ("alerts", "analytics")]
            # The same with another prefix, or none, or not of a day: somebody else's.
            others = [f"other-{client.prefix}{logs(old)}", f"{client.prefix}other-{logs(old)}"]
            others += [f"{client.prefix}engineering_{name}" for name in ("logs-2020.03", "logs-2020.13.40", "logs-2020.02.30-x", "alerts")]  # fmt: skip
            for name in [*(f"{client.prefix}{each}" for each in ours), *others]:
                await client.ask("PUT", f"/{name}")
            await client.ask("POST", f"/{client.prefix}{logs(closed)}/_close")
            chore = await kept(config)
            assert (chore.indices_deleted, chore.outliers_deleted) == (4, 1)
            there = {logs(late), logs(recent), logs(today), "engineering_logs-outliers", *ours[2:]}
            assert await names(client) == there | {name.replace(client.prefix, "") for name in others}
            assert await count(client, "engineering_logs-outliers") == 1
            assert (await kept(config)).summary() == {"indices_deleted": 0, "outliers_deleted": 0, "templates_put": 0}
            # What stays takes further events.
            again = event(client.prefix, "again", f"{late:%Y.%m.%d}", now)
            assert (await BulkWriter(client).store([again])).stored == 1
            for name in others:
                if name.startswith("other-"):
                    await client.ask("DELETE", f"/{name}")

    asyncio.run(scenario())


async def count(client: ElasticsearchClient, index: str) -> int:
    await client.ask("POST", f"/{client.prefix}{index}/_refresh")
    return int((await client.ask("GET", f"/{client.prefix}{index}/_count"))["count"])


def test_an_event_that_comes_while_its_index_is_deleted_is_kept(
    elasticsearch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored between the look and the block (then the index stays), or waits and makes the index anew."""
    config = configured(elasticsearch)
    now = datetime.now(UTC)
    old = now.date() - 90 * DAY
    looked = elasticsearch_retention._newest

    async def scenario() -> None:
        async with place(server(config)) as client:
            await fill(client, {old: now - 90 * DAY})
            index, writer = f"{old:%Y.%m.%d}", BulkWriter(client)
            looks = 0

            async def newest(client: ElasticsearchClient, name: str) -> datetime:
                """Behind the first look of the first time, and behind the second of the second, an event comes."""
                nonlocal looks
                looks += 1
                found = await looked(client, name)
                if looks == 1:
                    await writer.store([event(client.prefix, "between", index, now)])
                return found

            monkeypatch.setattr(elasticsearch_retention, "_newest", newest)
            assert await delete_old(client, now - 30 * DAY) == []
            assert await count(client, logs(old)) == 2
            await client.ask("PUT", f"/{client.prefix}{logs(old)}/_block/write")
            waiting = asyncio.create_task(writer.store([event(client.prefix, "waits", index, now)]))
            while await delete_old(client, now + DAY) == []:
                await asyncio.sleep(0.05)
            async with asyncio.timeout(30):
                assert (await waiting).stored == 1
            assert await count(client, logs(old)) == 1

    asyncio.run(scenario())


def test_a_bound_in_bytes_takes_the_oldest_days_but_never_today(elasticsearch: str) -> None:
    now = datetime.now(UTC)
    days = [now.date() - n * DAY for n in (3, 2, 1, 0)]

    async def scenario() -> None:
        roomy = configured(elasticsearch, retention={"days": 30, "bytes": "1GiB"})
        async with place(server(roomy)) as client:
            await fill(client, dict.fromkeys(days, now))
            sizes: dict[str, int | None] = {}
            while len(sizes) < len(days):
                rows = await elasticsearch_retention.dated_indices(client)
                sizes = {row.name.removeprefix(client.prefix): row.bytes for row in rows if row.bytes}
            assert (await kept(roomy)).indices_deleted == 0
            room = (sizes[logs(days[2])] or 0) + (sizes[logs(days[3])] or 0)
            for room_given, left in ((f"{room}B", days[2:]), ("1B", days[3:])):
                data = roomy.model_dump(mode="json", exclude_unset=True)
                data["stores"]["retention"]["bytes"] = room_given
                await kept(CollectorConfig.model_validate(data))
                assert await names(client) == {logs(day) for day in left}

    asyncio.run(scenario())


def test_templates_follow_an_upgrade_and_no_earlier_version_puts_its_own(elasticsearch: str) -> None:
    config = configured(elasticsearch, elasticsearch={"shards": 2, "replicas": 0})

    async def scenario() -> None:
        async with place(server(config)) as client:
            logs_template, analytics = (f"{client.prefix}engineering_{kind}" for kind in ("logs", "analytics"))
            path = f"/_index_template/{logs_template}"
            assert (await kept(config)).templates_put == 0
            ours = (await client.ask("GET", path))["index_templates"][0]["index_template"]
            for version, put in (("0.0.9", 1), (None, 1), ("99.0.0", 0)):
                theirs = {name: ours[name] for name in ("index_patterns", "priority", "template")}
                theirs |= {"_meta": {"version": version}} if version else {}
                theirs["template"]["mappings"]["properties"].pop("overflow", None)
                await client.ask("PUT", path, theirs)
                assert (await kept(config)).templates_put == put
                found = (await client.ask("GET", path))["index_templates"][0]["index_template"]
                assert ("overflow" in found["template"]["mappings"]["properties"]) == bool(put)
                assert found["template"]["settings"]["index"]["number_of_shards"] == "2"
            await client.ask("DELETE", f"/_index_template/{analytics}")
            assert (await kept(config)).templates_put == 1

    asyncio.run(scenario())


def test_without_templates_there_is_nothing_to_keep(elasticsearch: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(kept(configured(elasticsearch)))
    refused = caught.value.subgroup(Refused)
    assert "run `logintel collector setup`" in str(refused and refused.exceptions)
