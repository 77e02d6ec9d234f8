"""Queries made up by hypothesis match exactly what a real Elasticsearch matches, and are refused where it refuses."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.event import Json
from logintel_collector.query import PRODUCT_MAPPING, Mapping, QueryError, compile_dsl, mapping_from

INDEX = "query-live"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WORDS = (
    "failed", "login", "logins", "user", "root", "Root", "for", "the", "disk", "full", "10.0.0.1", "foo_bar", "foo-bar",
    "o'neil", "CAFÉ", "café", "İstanbul", "straße", "ΑΣ", "a:b", "C:\\Temp\\x.exe", "200", "connecting", "x" * 260, "日本語",
)  # fmt: skip
TEXTS = ("message", "message.log", "raw_log", "parsed_fields.stack_trace")
KEYWORDS = ("level", "tags", "message.keyword", "metadata.user", "parsed_fields.host", "metadata.in.ner")
OTHERS = ("size_bytes", "timestamp", "metadata.address", "metadata.flag", "metadata.ratio", "geo_location", "nosuch")
FIELDS = (*TEXTS, *KEYWORDS, *OTHERS)


def index_body() -> dict[str, Any]:
    """The product's mapping, with a field of each type that a person may add, and those that documents would make."""
    body = copy.deepcopy(PRODUCT_MAPPING)
    keyword = {"type": "keyword", "ignore_above": 8191}
    body["mappings"]["properties"]["metadata"]["properties"] = {
        "address": {"type": "ip"},
        "user": keyword,
        "flag": {"type": "boolean"},
        "ratio": {"type": "double"},
        "in": {"properties": {"ner": keyword}},
    }
    return body


def documents(number: int) -> list[dict[str, Any]]:
    """The same ones each time."""
    dice = random.Random(7)

    def text(most: int = 6) -> str:
        return " ".join(dice.choices(WORDS, k=dice.randint(0, most)))

    def some(value: Any) -> Any:
        return dice.choice([value, value, value, None, [value], []])

    return [
        {
            "message": some(text()),
            "raw_log": dice.choice([text(), [text(2), text(2)]]),
            "level": dice.choice(["ERROR", "WARN", "error", "", "INFO"]),
            "tags": dice.choices(WORDS, k=dice.randint(0, 3)),
            "timestamp": f"2026-11-{dice.randint(19, 22)}T{dice.randint(0, 23):02}:15:00.{dice.randint(0, 999):03}Z",
            "size_bytes": some(dice.choice([0, 1, 200, 201, -5, 2**31 - 1])),
            "geo_location": some(
                dice.choice([{"lat": 48.2, "lon": 16.4}, "47.1,15.4", [179.9, 0.1], "POINT (-179.9 -1)"])
            ),
            "metadata": {
                "user": some(dice.choice(WORDS)),
                "address": some(dice.choice(["10.0.0.1", "10.1.2.3", "192.168.7.7", "2001:db8::1"])),
                "flag": some(dice.choice([True, False, "true", "false"])),
                "ratio": some(dice.choice([0.5, 1, 2.25, -3e10])),
                "in": dice.choice([{}, {"ner": dice.choice(WORDS)}, [{"ner": "root"}, {"ner": text(1)}]]),
            },
            "parsed_fields": {
                "host": some(dice.choice(["web 01", "db-1", "Root"])),
                "stack_trace": some(text()),
                "line_number": dice.choice([7, 200]),
                # Patterns of names stand for fields that an index has seen.
                **dict.fromkeys(("service", "thread", "class", "method"), dice.choice(WORDS)),
            },
        }
        for _ in range(number)
    ]


@pytest.fixture(scope="module")
def live(elasticsearch: str) -> Iterator[httpx.Client]:
    """An index with the documents, its ids their numbers."""
    with httpx.Client(base_url=elasticsearch, timeout=60) as client:
        client.delete(f"/{INDEX}")
        body = index_body()
        body["settings"]["index"] |= {"number_of_shards": 1, "number_of_replicas": 0}
        client.put(f"/{INDEX}", json=body).raise_for_status()
        lines = [part for number, doc in enumerate(DOCUMENTS) for part in ({"index": {"_id": str(number)}}, doc)]
        bulk = b"\n".join(map(orjson.dumps, lines)) + b"\n"
        headers = {"content-type": "application/x-ndjson"}
        answer = client.post(f"/{INDEX}/_bulk?refresh=true", content=bulk, headers=headers).raise_for_status().json()
        assert not answer["errors"], [item for item in answer["items"] if "error" in item["index"]][:3]
        yield client
        client.delete(f"/{INDEX}")


DOCUMENTS = documents(80)
MAPPING: Mapping = mapping_from(index_body())

_words = st.sampled_from(WORDS)
_phrases = st.lists(_words, min_size=0, max_size=4).map(" ".join)
_fields = st.sampled_from(FIELDS)
_strings = st.sampled_from((*TEXTS, *KEYWORDS))
_scalars = st.one_of(
    _words,
    st.sampled_from(
        ("ERROR", "error", "200", "1.5", "true", "2026-11-21", "2026-11-21T12", "10.0.0.0/8", "10.0.0.1", "")
    ),
    st.sampled_from((0, 1, 200, 200.5, True, -5, 2**31)),
)
_fuzziness = st.sampled_from((0, 1, 2, "AUTO", "AUTO:2,4", "1"))
_minimum = st.sampled_from((0, 1, 2, "75%", "-1", "2<75%"))
_globs = st.lists(st.sampled_from(("*", "?", "fai", "log", "o", "ot", "1", ".", "-", "É", "C:\\\\")), max_size=4).map(
    "".join
)
_regexps = st.lists(
    st.sampled_from(("fai", ".*", ".", "[a-z]+", "[^0-9]", "(root|log)", "x{2,}", "\\d+", "\\w*", "?", "1", "@", "<1-300>", "~", "&", '"',
                     "#", "[", ")", "É", "i", "\\.", "{1,2}")),
    max_size=5,
).map("".join)  # fmt: skip


def _options(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=choices)


def _field_clause(
    name: str,
    fields: st.SearchStrategy[str],
    key: str,
    value: st.SearchStrategy[Any],
    **choices: st.SearchStrategy[Any],
) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda field, given, options: {name: {field: {key: given, **options}}}, fields, value, _options(**choices)
    )


_operator = st.sampled_from(("and", "or"))
_zero = st.sampled_from(("none", "all"))
_edges = st.sampled_from((0, 1, 200, 200.5, "a", "m", "2026-11-20", "2026-11-21||/M", "10.0.0.1", "x"))
_names = st.lists(
    # Without the point: a text about one makes Elasticsearch fail.
    st.sampled_from((*FIELDS[:-2], "nosuch", "message^2", "m*", "parsed_fields.*", "metadata.*")),
    min_size=1,
    max_size=3,
)
_simple = st.lists(
    st.sampled_from(
        ("failed", "login", "+", "|", "-", '"', "(", ")", "*", "~1", "~", " ", "the", "\\", "root", "fai*")
    ),
    max_size=8,
).map("".join)
_lucene = st.lists(
    st.sampled_from(
        ("failed", "login", " AND ", " OR ", " NOT ", "level:ERROR", "tags:", "(", ")", '"failed login"', '"failed root"~3', "fai*", "*oot",
         "faild~", "rot~1", " ", "+", "-", "the", "size_bytes:>100", "size_bytes:[0 TO 200}", "_exists_:tags", "metadata.user:*", "*",
         "/fa.*/", "message.log:logins", "metadata.*:root", "timestamp:2026-11-21", "root^2", "!", "&&", "10.0.0.1")
    ),
    max_size=5,
).map("".join)  # fmt: skip
LEAVES = st.one_of(
    _field_clause("term", _fields, "value", _scalars, case_insensitive=st.booleans()),
    st.builds(lambda field, values: {"terms": {field: values}}, _fields, st.lists(_scalars, max_size=3)),
    _field_clause(
        "match", _fields, "query", _phrases | _scalars, operator=_operator, minimum_should_match=_minimum, zero_terms_query=_zero,
        fuzziness=_fuzziness, lenient=st.booleans(), prefix_length=st.integers(0, 3), fuzzy_transpositions=st.booleans(),
    ),
    _field_clause("match_phrase", _fields, "query", _phrases, slop=st.integers(0, 4), zero_terms_query=_zero),
    _field_clause("match_phrase_prefix", st.sampled_from(TEXTS), "query", _phrases, slop=st.integers(0, 2)),
    _field_clause("match_bool_prefix", _strings, "query", _phrases, operator=_operator, minimum_should_match=_minimum),
    _field_clause("prefix", _fields, "value", _words | st.sampled_from(("f", "lo", "")), case_insensitive=st.booleans()),
    _field_clause("wildcard", _fields, "value", _globs, case_insensitive=st.booleans()),
    _field_clause(
        "regexp", _fields, "value", _regexps, case_insensitive=st.booleans(), flags=st.sampled_from(("ALL", "NONE", "INTERVAL"))
    ),
    _field_clause(
        "fuzzy", _fields, "value", _words, fuzziness=_fuzziness, prefix_length=st.integers(0, 3), transpositions=st.booleans()
    ),
    st.builds(
        lambda field, limits: {"range": {field: limits}}, _fields, _options(gt=_edges, lt=_edges) | _options(gte=_edges, lte=_edges)
    ),
    st.builds(lambda field: {"exists": {"field": field}}, st.sampled_from((*FIELDS, "metadata", "metadata.in"))),
    st.builds(
        lambda text, names, options: {"multi_match": {"query": text, "fields": names, **options}},
        _phrases,
        _names,
        _options(
            type=st.sampled_from(("best_fields", "most_fields", "cross_fields", "phrase", "bool_prefix")), operator=_operator,
            lenient=st.just(True), minimum_should_match=_minimum,
        ),
    ),
    st.builds(
        lambda text, names, options: {"simple_query_string": {"query": text, "fields": names, **options}},
        _simple,
        st.lists(_strings, min_size=1, max_size=2),
        _options(default_operator=_operator, minimum_should_match=_minimum, flags=st.sampled_from(("ALL", "OR|AND", "NONE"))),
    ),
    st.builds(
        lambda text, options: {"query_string": {"query": text, **options}},
        _lucene,
        _options(default_operator=_operator, analyze_wildcard=st.booleans(), lenient=st.just(True))
        | st.fixed_dictionaries({"fields": st.lists(_strings, min_size=1, max_size=2)}, optional={"default_operator": _operator})
        | st.fixed_dictionaries({"default_field": _strings}),
    ),
    st.builds(
        lambda far, where: {"geo_distance": {"distance": far, "geo_location": where}},
        st.sampled_from(("1km", "150km", "60mi", 5000, "3000nmi")),
        st.sampled_from(({"lat": 48.2, "lon": 16.4}, "47,15", [180, 0], "u2ed")),
    ),
    st.builds(
        lambda top, left, bottom, right: {
            "geo_bounding_box": {"geo_location": {"top": top, "left": left, "bottom": bottom, "right": right}}
        },
        st.sampled_from((50, 48.2, 1)), st.sampled_from((15, 16.4, 179)), st.sampled_from((47, -5)), st.sampled_from((17, -179)),
    ),
    st.builds(lambda ids: {"ids": {"values": ids}}, st.lists(st.integers(0, 90).map(str), max_size=4)),
    st.sampled_from(({"match_all": {}}, {"match_none": {}})),
)  # fmt: skip


def _compounds(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    many = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(
            lambda body: {"bool": body},
            _options(must=many, filter=many, should=many, must_not=many, minimum_should_match=_minimum),
        ),
        st.builds(lambda query: {"constant_score": {"filter": query}}, inner),
        st.builds(lambda queries: {"dis_max": {"queries": queries}}, st.lists(inner, min_size=1, max_size=3)),
    )


QUERIES = st.recursive(LEAVES, _compounds, max_leaves=5)


@settings(max_examples=300, derandomize=True)
@given(query=QUERIES)
def test_a_query_is_answered_as_elasticsearch_answers_it(live: httpx.Client, query: dict[str, Any]) -> None:
    ours: Json
    try:
        matches = compile_dsl(query, MAPPING, lambda: NOW).predicate
        ours = [number for number, doc in enumerate(DOCUMENTS) if matches({**doc, "_id": str(number)})]
    except QueryError:
        ours = "refused"
    body = {"query": query, "size": 1000, "_source": False, "sort": ["_doc"]}
    answer = live.post(f"/{INDEX}/_search", json=body).json()
    theirs: Json = "refused"
    if "hits" in answer:
        theirs = [*sorted(int(hit["_id"]) for hit in answer["hits"]["hits"])]
    if ours == "refused" and b'"bool"' in orjson.dumps(query):
        return  # Elasticsearch does not look at a clause beside one that decides alone; we look at each
    assert ours == theirs, answer.get("error", {}).get("root_cause")
