"""Search finds what the predicate says, newest first, however it narrows; and says what is wrong with a query."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.bus import Record, Stored
from logintel.main import main
from logintel_collector.alert import Changes
from logintel_collector.processor import Processor
from logintel_collector.query import QueryError, compile_dsl, compile_text, product_mapping, required
from logintel_collector.stores import sqlite_search
from logintel_collector.stores.sqlite import Store
from logintel_collector.stores.sqlite_search import Search

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Records = Callable[..., list[Stored]]
Document = dict[str, Any]

#: Texts in which words are hard to see: letters beyond ASCII, words that are cut, message and raw_log that differ.
HARD = [
    ("failed login", "5\u212a failed login"),
    ("x", "\u212ax y"),
    ("a" * 300, "prefix:" + "a" * 300),
    ("a" * 128 + "_b", "a" * 128 + "_b"),
    ("one\ntwo", '{"msg": "one\\ntwo"}'),
    ("ode", "c\u00f6de node"),
    ("\u0130x I", "\u0130x I"),
    ("nul\0byte", "nul\0byte"),
    ("FOO_bar.baz o'neil", "FOO_bar.baz o'neil 10.0.0.1:80"),
    ("", "only raw"),
    ("\U0001f600" * 200 + "end", "\U0001f600" * 200 + "end"),
]


def now() -> datetime:
    return NOW


def hard_records() -> list[Stored]:
    def value(number: int, message: str, raw: str) -> bytes:
        return orjson.dumps(
            {
                "source_id": f"source-{number % 2}",
                "log_id": f"hard-{number}",
                "timestamp": f"2026-11-{20 + number % 3}T10:00:00.{number:06}Z",
                "level": ("ERROR", "INFO", None)[number % 3],
                "message": message,
                "raw_log": raw,
                "tags": [],
                "metadata": {"source": "hard", "category": "audit" if number % 2 else ""},
                "parsed_fields": {},
            }
        )

    return [
        Stored(n, Record(value(n, *texts), b"hard", n.to_bytes(12, "big"))) for n, texts in enumerate(HARD, start=1)
    ]


async def filled(path: Path, batches: Sequence[Sequence[Stored]]) -> None:
    store = await Store.open(path, now)
    for batch in batches:
        await store.apply(Processor(now).process(batch, {}), Changes(), 1)
    await store.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, records: Records) -> Path:
    """A data directory with every sample in big and small batches, and the hard texts."""
    directory = tmp_path_factory.mktemp("data")
    small = [records(1, b"small" + bytes([n]), first=n) for n in range(1, 60)]
    asyncio.run(filled(directory / "logintel.sqlite", [records(1200), *small, hard_records()]))
    return directory


@pytest.fixture(scope="module")
def search(data: Path) -> Iterator[Search]:
    with Search(data / "logintel.sqlite") as opened:
        yield opened


@pytest.fixture(scope="module")
def documents(search: Search) -> list[Document]:
    """All of them, read without any narrowing."""
    bodies = search._connection.execute("SELECT body FROM documents").fetchall()
    return [orjson.loads(body) for (body,) in bodies]


WORDS = st.sampled_from(
    ("failed", "error", "GET", "login", "from", "127.0.0.1", "root", "5k", "kx", "x", "ode", "node", "c\u00f6de", "one", "two",
     "ntwo", "a" * 255, "a" * 45, "a" * 128 + "_b", "b", "foo_bar.baz", "o'neil", "nul", "i", "ix", "end", "only", "raw",
     "200", "http", "Failed password", "connection", "\u212ax", "sshd", "mongod", "query")
)  # fmt: skip
TERMS = st.one_of(
    WORDS.map(lambda word: {"match": {"message": word}}),
    WORDS.map(lambda word: {"match": {"raw_log": word}}),
    WORDS.map(lambda word: {"match_phrase": {"raw_log": word}}),
    WORDS.map(lambda word: {"term": {"message": word.lower()}}),
    WORDS.map(lambda word: {"term": {"message.keyword": word}}),
    WORDS.map(lambda word: {"match": {"message.log": word}}),
    WORDS.map(lambda word: {"wildcard": {"raw_log": f"{word[:3].lower()}*"}}),
    WORDS.map(lambda word: {"wildcard": {"message.keyword": f"*{word}*"}}),
    WORDS.map(lambda word: {"prefix": {"message": word[:4].lower()}}),
    st.sampled_from(["ERROR", "INFO", "WARN", "nosuch"]).map(lambda level: {"term": {"level": level}}),
    st.sampled_from(["system", "application", "audit"]).map(lambda value: {"term": {"category": value}}),
    st.sampled_from(["source-0", "source-1"]).map(lambda value: {"term": {"source_id": value}}),
    st.sampled_from(["hard-1", "hard-7"]).map(lambda value: {"terms": {"log_id": [value, "hard-2"]}}),
    st.sampled_from(["2026-11-21", "2022", "now-1d", "2026-11-22T10:00:00.000Z"]).flatmap(
        lambda at: st.sampled_from(["gt", "gte", "lt", "lte"]).map(lambda op: {"range": {"timestamp": {op: at}}})
    ),
    st.just({"exists": {"field": "metadata.source"}}),
)
QUERIES = st.recursive(
    TERMS,
    lambda inner: st.dictionaries(
        st.sampled_from(["must", "should", "must_not", "filter"]), st.lists(inner, max_size=3), max_size=3
    ).map(lambda body: {"bool": body}),
    max_leaves=6,
)


def ids(found: Sequence[Document]) -> list[str]:
    return [document["log_id"] for document in found]


@pytest.mark.parametrize("few", [20_000, 3], ids=["few candidates are sorted", "many are walked"])
@given(query=QUERIES)
@settings(max_examples=80, deadline=None)
def test_search_finds_what_the_predicate_says(search: Search, documents: list[Document], few: int, query: Any) -> None:
    compiled = compile_dsl(query, product_mapping(), now)
    before, sqlite_search._FEW = sqlite_search._FEW, few  # type: ignore[misc] # both ways on a store of this size
    try:
        found = list(search.documents(compiled))
        counted = search.count(compiled)
    finally:
        sqlite_search._FEW = before  # type: ignore[misc] # as above
    assert sorted(ids(found)) == sorted(ids(list(filter(compiled.predicate, documents))))
    assert counted == len(found)
    stamps = [str(document["timestamp"]) for document in found]
    assert stamps == sorted(stamps, reverse=True)


@pytest.mark.parametrize("text", ["login", "level:ERROR", "raw_log:5k", "message:err*", "*", "level:INFO AND NOT get"])
def test_a_limit_takes_the_newest(search: Search, text: str) -> None:
    query = compile_text(text, product_mapping(), now)
    everything = list(search.documents(query))
    assert len(everything) > 0
    assert list(search.documents(query, 7)) == everything[:7]


@pytest.mark.parametrize("few", [20_000, 3], ids=["few candidates are sorted", "many are walked"])
@pytest.mark.parametrize("text", ["raw_log:nul", "level:FATAL", 'timestamp:["2026-11-22T11:30" TO *]', "log_id:hard-3"])
def test_narrowing_reads_few(search: Search, documents: list[Document], text: str, few: int) -> None:
    query = compile_text(text, product_mapping(), now)
    before, sqlite_search._FEW = sqlite_search._FEW, few  # type: ignore[misc] # both ways on a store of this size
    try:
        read = list(search._candidates(required(query.tree)))
    finally:
        sqlite_search._FEW = before  # type: ignore[misc] # as above
    assert len(read) < len(documents) / 4


def test_reading_goes_on_while_the_writer_writes(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "logintel.sqlite"
    everything = compile_text("*", product_mapping(), now)

    async def scenario() -> None:
        store = await Store.open(path, now)
        await store.apply(Processor(now).process(records(1000), {}), Changes(), 1000)
        with Search(path) as search:
            found = search.documents(everything)
            first = [next(found) for _ in range(10)]
            await store.apply(Processor(now).process(records(1000, b"t" * 16), {}), Changes(), 2000)
            rest = list(found)
            assert len({document["log_id"] for document in first + rest}) == len(first + rest) >= 1000
            assert search.count(everything) == 2000
        await store.close()

    asyncio.run(scenario())


def test_count_of_everything_is_total_indexed(
    data: Path, documents: list[Document], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "*", "--count", "--data", str(data)]) == 0
    assert main(["search", '{"match_all": {}}', "--count", "--data", str(data)]) == 0
    assert main(["search", "*:*", "--count", "--json", "--data", str(data)]) == 0
    number = len(documents)
    assert capsys.readouterr().out == f'{number}\n{number}\n{{"count": {number}}}\n'


def test_a_line_for_a_person(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "log_id:hard-5 OR log_id:hard-8", "--data", str(data)]) == 0
    assert capsys.readouterr().out == (
        "2026-11-22T10:00:00.000008Z -     hard nul\\x00byte\n2026-11-22T10:00:00.000005Z -     hard one [1 more line]\n"
    )


def test_json_is_the_documents(data: Path, documents: list[Document], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "level:ERROR", "--json", "--limit", "0", "--data", str(data)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    errors = [document for document in documents if document["level"] == "ERROR"]
    assert sorted(ids(found)) == sorted(ids(errors))
    assert all(document in errors for document in found)


@pytest.mark.parametrize("query", ["level:(", '{"term": {}}', '{"script": {}}', '{"match": ', "size_bytes:abc"])
def test_a_wrong_query_is_named_with_an_example(data: Path, query: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", query, "--data", str(data)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "a query that works: logintel search 'level:ERROR AND timeout'" in err


def test_the_store_of_a_configuration(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "logintel.yaml"
    config.write_text(f"stores: {{sqlite: {{path: {data / 'logintel.sqlite'}}}}}\n")
    assert main(["search", "log_id:hard-5", "--count", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "1\n"
    config.write_text("stores: {sqlite: {pth: x}}\n")
    assert main(["search", "*", "--config", str(config)]) == 2
    assert "did you mean 'path'" in capsys.readouterr().err


def test_no_data_says_how_to_make_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "*", "--data", str(tmp_path)]) == 1
    assert "make some with `logintel run --once" in capsys.readouterr().err


def test_the_example_of_errors_compiles() -> None:
    compile_text("level:ERROR AND timeout", product_mapping(), now)
    with pytest.raises(QueryError):
        compile_text("level:(", product_mapping(), now)
