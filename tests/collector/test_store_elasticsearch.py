"""Templates, bulk and search on a real Elasticsearch: the seed's mapping, each document once, none lost to another."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from logintel.bus import Stored
from logintel.event import Json
from logintel.main import main
from logintel.refused import Refused
from logintel_collector.alert import Changes
from logintel_collector.config import ElasticsearchConfig
from logintel_collector.document import Document
from logintel_collector.processor import Processor
from logintel_collector.stores import elasticsearch as elasticsearch_store
from logintel_collector.stores import elasticsearch_bulk
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError, connected
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry, Outcome, Pace
from logintel_collector.stores.elasticsearch_indices import is_set_up, set_up
from logintel_collector.stores.elasticsearch_search import ElasticsearchSearch
from logintel_collector.stores.sqlite import Store
from logintel_devstack.stack import Stack

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = "2026.11.22"
Records = Callable[..., list[Stored]]

KEYWORD = {"type": "keyword"}
#: The mappings of data-schema-design, "Elasticsearch Schema Design", as Elasticsearch gives them back.
SEED: dict[str, dict[str, Any]] = {
    f"engineering_logs-{DAY}": {
        "log_id": KEYWORD,
        "source_id": KEYWORD,
        "timestamp": {"type": "date"},  # of the format that is the default: Elasticsearch does not repeat it
        "level": KEYWORD,
        "message": {
            "type": "text",
            "analyzer": "standard",
            "fields": {"keyword": {"type": "keyword", "ignore_above": 256}},
        },
        "raw_log": {"type": "text", "analyzer": "standard"},
        "category": KEYWORD,
        "tags": KEYWORD,
        "metadata": {"type": "object", "dynamic": "true"},
        "parsed_fields": {
            "properties": {
                "host": KEYWORD,
                "service": KEYWORD,
                "thread": KEYWORD,
                "class": KEYWORD,
                "method": KEYWORD,
                "line_number": {"type": "integer"},
                "stack_trace": {"type": "text"},
            }
        },
        "geo_location": {"type": "geo_point"},
        "size_bytes": {"type": "integer"},
        "processing_status": KEYWORD,
        "created_at": {"type": "date"},
    },
    "engineering_alerts": {
        "alert_id": KEYWORD,
        "title": {"type": "text", "fields": {"keyword": KEYWORD}},
        "description": {"type": "text"},
        "severity": KEYWORD,
        "status": KEYWORD,
        "source_id": KEYWORD,
        "log_entry_id": KEYWORD,
        "rule_id": KEYWORD,
        "triggered_at": {"type": "date"},
        "acknowledged_at": {"type": "date"},
        "resolved_at": {"type": "date"},
        "acknowledged_by": KEYWORD,
        "resolved_by": KEYWORD,
        "escalation_level": {"type": "integer"},
        "metadata": {"type": "object", "dynamic": "true"},
    },
    "engineering_analytics-2026.03": {
        "metric_name": KEYWORD,
        "metric_type": KEYWORD,
        "timestamp": {"type": "date"},
        "value": {"type": "float"},
        "dimensions": {
            "properties": dict.fromkeys(("source_id", "level", "category", "host", "service"), KEYWORD),
        },
        "aggregation_period": KEYWORD,
    },
}
#: What our mapping has beyond the seed's.
OURS = {
    f"engineering_logs-{DAY}": {
        "latency_ms": {"type": "long"},
        "overflow": {"type": "flattened", "ignore_above": 8191, "depth_limit": 1000},
        "parsed_fields": {"dynamic": "true"},
        "message": {"fields": {"log": {"type": "text", "analyzer": "log_analyzer"}}},
    }
}


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {
        **one,
        **{
            k: merged(one[k], v) if isinstance(v, dict) and isinstance(one.get(k), dict) else v
            for k, v in other.items()
        },
    }


@pytest.fixture
def config(elasticsearch: str) -> Iterator[ElasticsearchConfig]:
    """With names of this test's own; what it made is taken away."""
    made = ElasticsearchConfig(hosts=(elasticsearch,), prefix=f"t{secrets.token_hex(6)}-")
    yield made

    async def remove() -> None:
        async with connected(made) as client:
            indices = ",".join(await client.ask("GET", f"/{made.prefix}*/_alias?expand_wildcards=all"))
            if indices:
                await client.ask("DELETE", f"/{indices}")
            if await is_set_up(client):
                await client.ask("DELETE", f"/_index_template/{made.prefix}*")

    asyncio.run(remove())


@asynccontextmanager
async def ready(config: ElasticsearchConfig) -> AsyncIterator[ElasticsearchClient]:
    async with connected(config) as client:
        await set_up(client, config)
        yield client


def entry(config: ElasticsearchConfig, log_id: str, body: dict[str, Any], day: str = DAY) -> Entry:
    action = {"create": {"_index": f"{config.prefix}engineering_logs-{day}", "_id": log_id}}
    return Entry(orjson.dumps(action), orjson.dumps({"log_id": log_id, **body}), original=log_id)


def entries_of(config: ElasticsearchConfig, documents: list[Document]) -> list[Entry]:
    return [entry(config, one.log_id, one.source, one.day or "outliers") for one in documents]


async def stored(client: ElasticsearchClient, index: str = "engineering_logs-*") -> dict[str, dict[str, Any]]:
    """_id → document, of at most 10,000."""
    await client.ask("POST", f"/{client.prefix}{index}/_refresh")
    found = await client.ask("POST", f"/{client.prefix}{index}/_search", {"size": 10_000})
    return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


def test_the_templates_make_the_seeds_mappings(config: ElasticsearchConfig) -> None:
    async def scenario() -> None:
        async with ready(config) as client:
            for index, seed in SEED.items():
                await client.ask("PUT", f"/{config.prefix}{index}")
                found = (await client.ask("GET", f"/{config.prefix}{index}"))[f"{config.prefix}{index}"]
                assert found["mappings"]["properties"] == merged(seed, OURS.get(index, {}))
                assert found["mappings"]["date_detection"] is False
                settings = found["settings"]["index"]
                assert (settings["number_of_shards"], settings["number_of_replicas"]) == ("1", "0")
            analyzer = {"analyzer": "log_analyzer", "text": "The connections FAILED for user"}
            path = f"/{config.prefix}engineering_logs-{DAY}/_analyze"
            tokens = (await client.ask("POST", path, analyzer))["tokens"]
            assert [token["token"] for token in tokens] == ["connect", "fail", "user"]

    asyncio.run(scenario())


def test_a_server_of_version_8_takes_the_same(devstack: Stack, elasticsearch_name: str) -> None:
    """Of templates, analyzer, bulk, mending and search, what is not the same code for both versions is their server."""
    address = devstack.up(["elasticsearch8"])["elasticsearch8"]
    config = ElasticsearchConfig(hosts=(address,), prefix=f"t{secrets.token_hex(6)}-")

    async def scenario() -> None:
        async with ready(config) as client:
            assert await set_up(client, config) == []
            first = entry(config, "first", {"metadata": {"code": 5, "o": {"a": 1}}, "message": "connections failed"})
            bodies = [{"metadata": {"code": "abc"}}, {"metadata": {"o": "plain"}}, AWKWARD["5,000 fields"][0]]
            rest = [entry(config, str(n), body) for n, body in enumerate(bodies)]
            writer = BulkWriter(client)
            assert (await writer.store([first])).stored == 1
            outcome = await writer.store([first, *rest])
            assert (outcome.stored, outcome.repeats, len(outcome.mended), outcome.refused) == (3, 1, 3, [])
            assert (await stored(client))["1"]["overflow"] == {"metadata": {"o": "plain"}}

    try:
        asyncio.run(scenario())
        with ElasticsearchSearch(config) as search:
            assert search.count({"match": {"message.log": "connection fails"}}) == 1
            assert [one["log_id"] for one in search.documents({"term": {"metadata.code": 5}})] == ["first"]
            assert search.count({"term": {"overflow.metadata.code": "abc"}}) == 1
    finally:
        if elasticsearch_name != "elasticsearch8":
            devstack.down(["elasticsearch8"])


def test_templates_are_put_when_they_are_missing_or_differ(config: ElasticsearchConfig) -> None:
    async def scenario() -> None:
        names = [f"{config.prefix}engineering_{kind}" for kind in ("logs", "alerts", "analytics")]
        async with connected(config) as client:
            assert not await is_set_up(client)
            assert await set_up(client, config) == names
            assert await is_set_up(client)
            assert await set_up(client, config) == []
            more = config.model_copy(update={"shards": 2, "replicas": 1})
            assert await set_up(client, more) == names
            assert await set_up(client, more) == []
            await client.ask("DELETE", f"/_index_template/{names[1]}")
            assert await set_up(client, more) == names[1:2]

    asyncio.run(scenario())


def test_requests_are_compressed_where_there_is_a_network_or_somebody_says_so() -> None:
    def compresses(*hosts: str, compress: bool | None = None) -> bool:
        return ElasticsearchConfig(hosts=hosts, compress=compress).compresses

    assert not compresses("http://127.0.0.1:9200", "https://localhost:9200", "http://[::1]:9200")
    assert compresses("http://127.0.0.1:9200", "http://e1:9200")
    assert compresses("http://127.0.0.1:9200", compress=True)
    assert not compresses("http://e1:9200", compress=False)


@pytest.mark.parametrize("compress", [True, False])
def test_documents_are_stored_as_they_are_each_once(
    config: ElasticsearchConfig, records: Records, *, compress: bool
) -> None:
    config = config.model_copy(update={"compress": compress})
    documents = Processor(lambda: NOW).process(records(900), {}).documents

    async def scenario() -> None:
        async with ready(config) as client:
            first = await BulkWriter(client).store(entries_of(config, documents[:600]))
            assert (first.stored, first.repeats, first.refused) == (600, 0, [])
            second = await BulkWriter(client).store(entries_of(config, documents[300:]))
            assert (second.stored, second.repeats, second.refused) == (300, 300, [])
            assert await stored(client) == {one.log_id: one.source for one in documents}

    asyncio.run(scenario())


def deep(levels: int) -> dict[str, Any]:
    return {"n": deep(levels - 1)} if levels else {"x": 1}


#: Documents that an index with the first one refuses or would refuse, and what of them it finds in `overflow`.
AWKWARD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text for number": ({"metadata": {"code": "abc", "t": "kept"}}, {"metadata": {"code": "abc"}}),
    "text for truth": ({"metadata": {"b": "maybe"}}, {"metadata": {"b": "maybe"}}),
    "truth for number": ({"metadata": {"code": True}}, {"metadata": {"code": True}}),
    "number for truth": ({"metadata": {"b": 1}}, {"metadata": {"b": 1}}),
    "huge number": ({"metadata": {"code": 2**63}}, {"metadata": {"code": 2**63}}),
    "no number": ({"metadata": {"r": "NaN"}}, {"metadata": {"r": "NaN"}}),
    "text for object": ({"metadata": {"o": "plain word", "s": "kept"}}, {"metadata": {"o": "plain word"}}),
    "object for text": ({"metadata": {"s": {"a": 1}, "t": "kept"}}, {"metadata": {"s": {"a": 1}}}),
    "dotted object for text": ({"metadata": {"s.r": "x", "t": "kept"}}, {"metadata": {"s.r": "x"}}),
    "one of an object's": ({"metadata": {"o": {"a": "x", "b": "kept"}}}, {"metadata": {"o": {"a": "x"}}}),
    "in a list": ({"metadata": {"code": [1, "two"]}}, {"metadata": {"code": [1, "two"]}}),
    "objects in a list": ({"metadata": {"o": [{"a": 1}, {"a": "x"}]}}, {"metadata": {"o": [{"a": 1}, {"a": "x"}]}}),
    "many at once": (
        {"metadata": {"s": {"a": 1}, "o": "x", "code": "y", "b": 7, "r": {}, "t": "kept"}},
        {"metadata": {"s": {"a": 1}, "o": "x", "code": "y", "b": 7, "r": {}}},
    ),
    "mixed": ({"metadata": {"mix": [1, {"a": 1}], "t": "kept"}}, {"metadata": {"mix": [1, {"a": 1}]}}),
    "no name": ({"metadata": {"": "x"}, "level": "INFO"}, {"metadata": {"": "x"}}),
    "blank name": ({"metadata": {" ": "x"}}, {"metadata": {" ": "x"}}),
    "name of dots": ({"metadata": {"a..b": "x", "...": "y"}}, {"metadata": {"a..b": "x", "...": "y"}}),
    "long name": ({"metadata": {"x" * 600: "a", "t": "kept"}}, {"metadata": {"x" * 600: "a"}}),
    "too deep": ({"metadata": {"n": deep(25), "t": "kept"}}, {"metadata": {"n": deep(25)}}),
    "far too deep": ({"metadata": {"n": deep(240)}}, {"metadata": {"n": deep(240)}}),
    "endless tag": ({"tags": ["b" * 40_000], "metadata": {"t": "kept"}}, {"tags": ["b" * 40_000]}),
    "line number": ({"parsed_fields": {"line_number": "abc", "host": "h"}}, {"parsed_fields": {"line_number": "abc"}}),
    "metadata is a text": ({"metadata": "x"}, {"metadata": "x"}),
    "category is an object": ({"category": {"a": "b"}}, {"category": {"a": "b"}}),
    "5,000 fields": (
        {"metadata": {**{f"k{n}": n for n in range(5000)}, "s": "kept", "o": {"a": 1, "z": 2}}},
        {"metadata": {**{f"k{n}": n for n in range(5000)}, "o": {"z": 2}}},
    ),
}
#: Names that no field can have, not even in `overflow`: there as JSON.
UNNAMEABLE: dict[str, dict[str, Any]] = {
    "endless name": {"metadata": {"x" * 40_000: "a"}},
    "NUL in a name": {"metadata": {"code": "abc", "s": {"a\0b": 1}}},
}
#: Documents that are stored as they are.
HARMLESS: dict[str, dict[str, Any]] = {
    "long text": {"metadata": {"t": "\u4e2d" * 40_000}},
    "NUL": {"metadata": {"t": "a\0b"}, "message": "a\0b"},
    "number as text": {"metadata": {"code": "17", "r": "1e3", "b": "true"}},
    "nothing": {"metadata": {"code": None, "s": None, "o": None}},
    "lists of lists": {"metadata": {"code": [[1, 2], [3]]}},
    "empty": {"metadata": {}},
}


def without(whole: Any, taken: Any) -> Any:
    """An object without the members that are in another; {} for what is not there any more."""
    if not (isinstance(whole, dict) and isinstance(taken, dict)):
        return {}
    rest = {name: without(value, taken[name]) if name in taken else value for name, value in whole.items()}
    return {name: value for name, value in rest.items() if value != {} or name not in taken}


def test_no_document_is_refused_for_its_fields(config: ElasticsearchConfig) -> None:
    """Users' complaint of peers: mapping conflicts, the limit of 1,000 fields and long terms lose events."""
    first = {"metadata": {"code": 5, "o": {"a": 1}, "s": "x", "b": True, "r": 1.5}, "message": "first"}
    fixed = {"message": "m", "timestamp": "2026-11-22T10:00:00.000000Z"}

    async def scenario() -> None:
        async with ready(config) as client:
            writer = BulkWriter(client)
            await writer.store([entry(config, "first", first)])
            bodies = {**{name: body for name, (body, _) in AWKWARD.items()}, **UNNAMEABLE, **HARMLESS}
            outcome = await writer.store([entry(config, name, {**fixed, **body}) for name, body in bodies.items()])
            assert outcome.refused == []
            assert outcome.stored == len(bodies)
            assert {one.original for one in outcome.mended} == {*AWKWARD, *UNNAMEABLE}
            assert outcome.overflowed == 1
            found = await stored(client)
            for name, body in HARMLESS.items():
                assert found[name] == {"log_id": name, **fixed, **body}
            for name, (body, moved) in AWKWARD.items():
                rest = without(body, moved)
                kept = {field: value for field, value in found[name].items() if value != {}}
                assert kept == {"log_id": name, **fixed, **rest, "overflow": moved}, name
            for name, body in UNNAMEABLE.items():
                overflow = found[name].pop("overflow")
                (text,) = overflow.pop("json")
                assert merged(merged(json.loads(text), overflow), found[name]) == {"log_id": name, **fixed, **body}

    asyncio.run(scenario())


def test_what_is_in_overflow_is_found(config: ElasticsearchConfig, elasticsearch: str, tmp_path: Path) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text(yaml.safe_dump({"stores": {"elasticsearch": {"hosts": [elasticsearch], "prefix": config.prefix}}}))

    async def scenario() -> None:
        async with ready(config) as client:
            writer = BulkWriter(client)
            await writer.store([entry(config, "number", {"metadata": {"code": 5}})])
            texts = {"text": "E17", "other": "E18"}
            await writer.store([entry(config, name, {"metadata": {"code": code}}) for name, code in texts.items()])
            await stored(client)

    asyncio.run(scenario())
    with ElasticsearchSearch(config) as search:

        def found(query: str) -> set[Json]:
            return {one["log_id"] for one in search.documents({"query_string": {"query": query}})}

        assert found("metadata.code:5") == {"number"}
        assert found("overflow.metadata.code:E17") == {"text"}
        assert found("overflow.metadata.code:E1*") == {"text", "other"}
        assert found("_exists_:overflow.metadata.code") == found("_exists_:overflow") == {"text", "other"}


def test_the_fields_of_an_index_are_bounded_for_all_collectors_together(
    config: ElasticsearchConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever brings new names without end, in however many processes: the names that are there keep being fields."""
    count, each = 36, 80

    async def scenario() -> None:
        async with ready(config) as client:
            bodies = [
                entry(
                    config,
                    f"{n:04}",
                    {"metadata": {"source": "s", "o": {"a": 1, **{f"k{n}-{m}": m for m in range(each)}}}},
                )
                for n in range(count)
            ]
            outcomes = await asyncio.gather(*(BulkWriter(client).store(bodies[n::3]) for n in range(3)))
            assert sum(outcome.stored for outcome in outcomes) == count
            assert all(outcome.refused == [] for outcome in outcomes)
            late = entry(config, "new", {"metadata": {"source": "s", **{f"late{n}": 1 for n in range(each)}}})
            after = await BulkWriter(client).store([late])
            assert (after.stored, after.overflowed) == (1, 1)
            assert (await BulkWriter(client).store([entry(config, "old", {"metadata": {"source": "s"}})])).mended == []
            index = f"{config.prefix}engineering_logs-{DAY}"
            fields = (await client.ask("GET", f"/{index}/_field_caps?fields=metadata.*,overflow"))["fields"]
            assert 500 < len(fields) <= 1000
            assert len(orjson.dumps(await client.ask("GET", f"/{index}/_mapping"))) < 100_000
            assert await hits(client, "metadata.source:s") == count + 2
            assert await hits(client, "metadata.o.a:1") == count
            moved = sum(outcome.overflowed for outcome in outcomes) + 1
            assert await hits(client, "_exists_:overflow") == moved
            for n in range(count):
                name = f"metadata.o.k{n}-{each - 1}"
                assert await hits(client, f"{name}:{each - 1} OR overflow.{name}:{each - 1}") == 1

    asyncio.run(scenario())
    said = capsys.readouterr().out
    assert said.count("Limit of total fields [1000] has been exceeded") == 4, "once a process"
    assert "found as overflow.metadata.NAME" in said


async def hits(client: ElasticsearchClient, query: str) -> int:
    await client.ask("POST", f"/{client.prefix}engineering_logs-*/_refresh")
    body = {"query": {"query_string": {"query": query}}}
    return int((await client.ask("POST", f"/{client.prefix}engineering_logs-*/_count", body))["count"])


def test_a_document_that_nothing_mends_is_refused_alone(config: ElasticsearchConfig) -> None:
    async def scenario() -> None:
        async with ready(config) as client:
            broken = entry(config, "broken", {})._replace(body=b'{"log_id": oops')
            good = [entry(config, f"good-{n}", {"message": "m"}) for n in range(50)]
            undated = entry(config, "undated", {"timestamp": "secret-yesterday"})
            outcome = await BulkWriter(client).store([*good[:25], broken, undated, *good[25:]])
            assert outcome.stored == 50
            assert [(one.original, one.reason) for one in outcome.refused] == [
                ("broken", "refused"),
                ("undated", "refused"),
            ]
            assert "[timestamp]" in outcome.refused[1].error
            assert "secret" not in outcome.refused[1].error
            assert (await stored(client)).keys() == {one.original for one in good}

    asyncio.run(scenario())


@pytest.mark.parametrize("block", ["write", "read_only_allow_delete"])
def test_an_index_that_takes_nothing_is_waited_out(config: ElasticsearchConfig, block: str) -> None:
    """A full disk makes indices read-only (429), an operator closes one to writes (403): neither is a document's fault."""

    async def scenario() -> None:
        async with ready(config) as client:
            writer, index = BulkWriter(client), f"{config.prefix}engineering_logs-{DAY}"
            await client.ask("PUT", f"/{index}")
            await client.ask("PUT", f"/{index}/_settings", {"index.blocks": {block: True}})
            waiting = asyncio.create_task(
                writer.store([entry(config, "held", {}), entry(config, "free", {}, "2026.11.21")])
            )
            async with asyncio.timeout(60):
                while (await stored(client)).keys() != {"free"}:
                    await asyncio.sleep(0.1)
            assert not waiting.done()
            await client.ask("PUT", f"/{index}/_settings", {"index.blocks": {block: None}})
            async with asyncio.timeout(60):
                outcome = await waiting
            assert (outcome.stored, outcome.refused) == (2, [])

    asyncio.run(scenario())


def test_what_is_not_taken_for_long_is_given_up_and_named(
    config: ElasticsearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elasticsearch_bulk, "PATIENCE", 0.5)

    async def scenario() -> None:
        async with ready(config) as client:
            index = f"{config.prefix}engineering_logs-{DAY}"
            await client.ask("PUT", f"/{index}")
            await client.ask("POST", f"/{index}/_close")
            with pytest.raises(ElasticsearchError, match="index_closed_exception"):
                await BulkWriter(client).store([entry(config, "late", {})])

    asyncio.run(scenario())


def test_an_index_that_is_deleted_meanwhile_is_made_anew(config: ElasticsearchConfig) -> None:
    async def scenario() -> None:
        async with ready(config) as client:
            writer, index = BulkWriter(client), f"/{config.prefix}engineering_logs-{DAY}"
            await writer.store([entry(config, "before", {"metadata": {"code": 1}})])
            await client.ask("DELETE", index)
            texts = [entry(config, f"{n}", {"metadata": {"code": "x"}}) for n in range(3)]
            outcome = await writer.store(texts)
            assert (outcome.stored, outcome.mended) == (3, [])
            assert (await stored(client)).keys() == {"0", "1", "2"}
            assert "overflow" in (await client.ask("GET", index))[index[1:]]["mappings"]["properties"]

    asyncio.run(scenario())


@pytest.mark.long
def test_a_server_that_hangs_is_waited_for_and_sent_less(
    config: ElasticsearchConfig, devstack: Stack, elasticsearch_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has taken nevertheless is known by its id."""
    process = devstack.status()[elasticsearch_name].process
    assert process
    entries = [entry(config, f"{n:04}", {"message": "m" * 1000}) for n in range(2000)]

    async def scenario() -> None:
        async with ready(config) as client:
            await client.ask("PUT", f"/{config.prefix}engineering_logs-{DAY}")
        waits, pace = asyncio.Event(), Pace()
        before = pace.room
        os.kill(process.pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(elasticsearch_store, "TIMEOUT", 1.0)
                async with connected(config) as client:
                    storing = asyncio.create_task(BulkWriter(client, pace, lambda _: waits.set()).store(entries))
                    async with asyncio.timeout(60):
                        await waits.wait()
                    storing.cancel()
                    await asyncio.wait([storing])
        finally:
            os.kill(process.pid, signal.SIGCONT)
        assert pace.room < before
        async with connected(config) as client:
            outcome = await BulkWriter(client, pace).store(entries)
            assert (outcome.stored + outcome.repeats, outcome.refused) == (2000, [])
            assert (await stored(client)).keys() == {one.original for one in entries}

    asyncio.run(scenario())


def test_a_cluster_that_has_no_room_is_sent_less_at_a_time(config: ElasticsearchConfig) -> None:
    """Elasticsearch answers 429 to what would not fit into the memory that it gives to requests."""
    blob = "x" * 10_000

    async def limit(client: ElasticsearchClient, value: str | None) -> None:
        whole = None if value is None else False
        settings = {"network.breaker.inflight_requests.limit": value, "rest.incremental_bulk": whole}
        await client.ask("PUT", "/_cluster/settings", {"transient": settings})

    async def scenario() -> None:
        async with ready(config.model_copy(update={"compress": False})) as client:
            await limit(client, "600kb")
            try:
                too_much = b'{"index":{}}\n' + orjson.dumps({"blob": "x" * 700_000}) + b"\n"
                with pytest.raises(ElasticsearchError, match="429"):
                    await client.ask("POST", f"/{config.prefix}engineering_logs-{DAY}/_bulk", too_much)
                async with asyncio.timeout(45):
                    outcome = await BulkWriter(client).store(
                        [entry(config, str(n), {"blob": blob}) for n in range(500)]
                    )
            finally:
                await limit(client, None)
        assert (outcome.stored + outcome.repeats, outcome.refused) == (500, [])
        assert outcome.trouble is not None

    asyncio.run(scenario())


def test_a_request_that_is_too_large_is_sent_in_halves(
    config: ElasticsearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elasticsearch takes 100 MB at once, so much as 110 of these; `blob` is no field of the mapping."""
    monkeypatch.setattr(elasticsearch_bulk, "REQUEST", 2**28)
    monkeypatch.setattr(elasticsearch_bulk, "ROOM", (2**28, 2**28, 2**28))

    async def scenario() -> Outcome:
        async with ready(config) as client:
            blob = "x" * 10**6
            return await BulkWriter(client).store([entry(config, str(n), {"blob": blob}) for n in range(110)])

    outcome = asyncio.run(scenario())
    # Elasticsearch reads a request bit by bit: what came before the limit is stored, and known again in the half.
    assert (outcome.stored + outcome.repeats, outcome.refused) == (110, [])


def test_errors_say_what_to_do_and_no_secret() -> None:
    """Nothing listens on port 1."""

    async def scenario() -> None:
        config = ElasticsearchConfig.model_validate(
            {"hosts": ["http://127.0.0.1:1"], "username": "u", "password": "hidden"}
        )
        async with connected(config) as client:
            with pytest.raises(ElasticsearchError, match="is it running and reachable") as caught:
                await client.ask("GET", "/_cluster/health")
        assert "hidden" not in str(caught.value)

    asyncio.run(scenario())
    missing = ElasticsearchConfig(hosts=("https://127.0.0.1:1",), ca_certs=Path("/nowhere/ca.pem"))
    with pytest.raises(Refused, match="check hosts and ca_certs"):
        ElasticsearchClient(missing)


QUERIES = (
    "*",
    "level:ERROR",
    "failed OR error",
    'message:"failed password"',
    "metadata.status:[400 TO 599]",
    "NOT level:INFO AND metadata.source:samples",
    '{"term": {"level": "WARN"}}',
    '{"query": {"match": {"raw_log": "connection"}}}',
    "nothing_like_this",
)


def test_search_shows_what_the_embedded_store_shows(
    config: ElasticsearchConfig,
    elasticsearch: str,
    tmp_path: Path,
    records: Records,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Both stores hold the same documents; in the order of Elasticsearch, whose dates are milliseconds."""
    processed = Processor(lambda: NOW).process(records(700), {})

    async def fill() -> None:
        store = await Store.open(tmp_path / "logintel.sqlite", lambda: NOW)
        await store.apply(processed, Changes(), 1)
        await store.close()
        async with ready(config) as client:
            await BulkWriter(client).store(entries_of(config, processed.documents))
            await stored(client)

    asyncio.run(fill())
    path = tmp_path / "collector.yaml"
    path.write_text(yaml.safe_dump({"stores": {"elasticsearch": {"hosts": [elasticsearch], "prefix": config.prefix}}}))

    def shown(*words: str) -> list[bytes]:
        assert main(["search", *words]) == 0
        return capfdbinary.readouterr().out.splitlines()

    embedded, server = ("--data", str(tmp_path)), ("--config", str(path))
    for query in QUERIES:
        counted = shown(query, "--count", *embedded)
        assert shown(query, "--count", *server) == counted
        found = shown(query, "--json", "--limit", "0", *server)
        assert sorted(found) == sorted(shown(query, "--json", "--limit", "0", *embedded))
        places = [(one["timestamp"][:23], one["log_id"]) for one in map(json.loads, found)]
        assert places == sorted(places, reverse=True)
        assert shown(query, "--json", "--limit", "7", *server) == found[:7]
    assert sorted(shown("*", "--limit", "0", *server)) == sorted(shown("*", "--limit", "0", *embedded))


def test_search_says_what_is_wrong(
    config: ElasticsearchConfig, elasticsearch: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "collector.yaml"

    def refused(query: str, host: str = elasticsearch) -> tuple[int, str]:
        path.write_text(yaml.safe_dump({"stores": {"elasticsearch": {"hosts": [host], "prefix": config.prefix}}}))
        code = main(["search", query, "--config", str(path)])
        return code, capsys.readouterr().err

    assert refused("*") == (0, "")  # no index yet

    async def make() -> None:
        async with ready(config) as client:
            await client.ask("PUT", f"/{config.prefix}engineering_logs-{DAY}")

    asyncio.run(make())
    assert refused("level:(")[0] == 2
    code, said = refused('{"no_such_clause": {}}')
    assert code == 2
    assert "no_such_clause" in said
    code, said = refused("*", "http://127.0.0.1:1")
    assert code == 1
    assert "is it running and reachable" in said


def test_setup_puts_the_templates(
    config: ElasticsearchConfig, kafka: str, elasticsearch: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "collector.yaml"
    whole = {
        "installation": config.prefix.rstrip("-"),
        "bus": {"kafka": {"bootstrap_servers": [kafka]}},
        "stores": {"elasticsearch": {"hosts": [elasticsearch], "prefix": config.prefix}},
    }
    path.write_text(yaml.safe_dump(whole))
    names = ", ".join(f"{config.prefix}engineering_{kind}" for kind in ("logs", "alerts", "analytics"))
    for said in (f"put {names}", "all there"):
        assert main(["collector", "setup", "--config", str(path)]) == 0
        assert f"index templates: {said}\n" in capsys.readouterr().out
    assert main(["config", "check", "--connect", str(path)]) == 0
    assert f"Elasticsearch at {elasticsearch}: green, 1 nodes" in capsys.readouterr().out
    whole["stores"] = {"elasticsearch": {"hosts": ["http://127.0.0.1:1"]}}
    path.write_text(yaml.safe_dump(whole))
    assert main(["collector", "setup", "--config", str(path)]) == 1
    assert "is it running and reachable" in capsys.readouterr().err
