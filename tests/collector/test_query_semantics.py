"""What queries mean against the product's own mapping, and how they are refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from logintel_collector.query import (
    PRODUCT_MAPPING,
    QueryError,
    compile_dsl,
    compile_text,
    mapping_from,
    product_mapping,
)
from logintel_collector.query.tree import AllOf, Not, OneOf

DOCUMENT: dict[str, Any] = {
    "log_id": "0d5f",
    "source_id": "s-1",
    "timestamp": "2026-11-22T11:59:30.123456Z",
    "level": "ERROR",
    "message": "Login failed for user root from 10.0.0.1 port 22",
    "raw_log": "Nov 22 11:59:30 web01 sshd[77]: Login failed for user root from 10.0.0.1 port 22",
    "category": None,
    "tags": ["prod", "eu-west-1"],
    "size_bytes": 200,
    "metadata": {
        "source": "auth",
        "status": 503,
        "ratio": 0.5,
        "cached": True,
        "code": "503",
        "http.method": "GET",
        "user": {"name": "Root", "roles": ["admin", "ops"]},
        "hops": [{"to": "a", "ms": 1}, {"to": "b", "ms": 20}],
        "empty": {},
    },
    "parsed_fields": {"host": "web01", "line_number": 42},
}


def now() -> datetime:
    return datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failed AND root", True),
        ("FAILED", True),
        ("fail", False),
        ("message.log:failing", True),
        ('"failed user"', False),
        ('message.log:"failed user"', False),
        ('message.log:"failed the user"', True),
        ("level:error", False),
        ("level:ERROR AND NOT tags:dev", True),
        ("level:WARN OR level:INFO AND tags:prod", False),
        ("level:ERROR OR level:INFO AND tags:prod", False),
        ("(level:ERROR OR level:INFO) AND tags:prod", True),
        ("-level:ERROR", False),
        ("+failed -absent", True),
        ("tags:eu-*", True),
        ("tags:e?-west-1", True),
        ("metadata.http.method:GET", True),
        ("metadata.user.name:Root", True),
        ("metadata.user.roles:ops", True),
        ("metadata.hops.to:b AND metadata.hops.ms:1", True),
        ("metadata.status:503", True),
        ("metadata.status:>=500", True),
        ("metadata.status:[500 TO 503}", False),
        ("metadata.code:503", True),
        ("metadata.ratio:<0.6", True),
        ("metadata.cached:true", True),
        ("metadata.status:abc", False),
        ("metadata.user:*", True),
        ("metadata.empty:*", False),
        ("_exists_:category", False),
        ("NOT nosuch:x", True),
        ("*:*", True),
        ("timestamp:[now-1m TO now]", True),
        ("timestamp:2026-11-22", True),
        ("timestamp:>2026-11-22", False),
        ('timestamp:"2026-11-22T11:59:30.123Z"', True),
        (r"timestamp:<=2026-11-22T11\:59", True),
        ("   ", False),
    ],
)
def test_query_string(text: str, expected: bool) -> None:
    assert compile_text(text, product_mapping(), now).predicate(DOCUMENT) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"query": {"term": {"level": "ERROR"}}}, True),
        ({"term": {"level": {"value": "error", "case_insensitive": True, "boost": 2}}}, True),
        ({"wildcard": {"message.keyword": "*failed*22"}}, True),
        ({"wildcard": {"message.keyword": {"value": "LOGIN*", "case_insensitive": True}}}, True),
        ({"prefix": {"metadata.user.name": "Ro"}}, True),
        ({"prefix": {"metadata.status": "50"}}, False),
        ({"terms": {"metadata.status": [404, "503"]}}, True),
        ({"range": {"metadata.status": {"gt": 503}}}, False),
        ({"range": {"parsed_fields.line_number": {"gt": 41.5, "lte": "42"}}}, True),
        ({"range": {"metadata.code": {"gte": "5", "lt": "6"}}}, True),
        ({"range": {"timestamp": {"gte": "2026-11-22T12:00:00", "time_zone": "+01:00"}}}, True),
        ({"range": {"timestamp": {"lt": "now/d", "time_zone": "Europe/Berlin"}}}, False),
        ({"exists": {"field": "metadata.hops"}}, True),
        ({"exists": {"field": "metadata.*"}}, True),
        ({"exists": {"field": "metadata.http"}}, True),
        ({"bool": {"should": [{"term": {"tags": "dev"}}], "must": {"match_all": {}}}}, True),
        ({"bool": {"must": None, "filter": [{"bool": {}}]}}, True),
        ({"bool": {"must_not": [{"term": {"tags": "dev"}}], "minimum_should_match": 1}}, True),
        ({"match": {"message": {"query": "failed login absent", "minimum_should_match": "67%"}}}, True),
        ({"match": {"message": {"query": "failed absent", "operator": "and"}}}, False),
        ({"query_string": {"query": "failed absent", "default_operator": "AND"}}, False),
    ],
)
def test_query_dsl(query: Any, expected: bool) -> None:
    assert compile_dsl(query, product_mapping(), now).predicate(DOCUMENT) is expected


@pytest.mark.parametrize(
    ("query", "clause", "reason"),
    [
        (
            {"bool": {"filter": [{"match_all": {}}, {"script": {}}]}},
            "bool.filter[1].script",
            "'script' is not supported",
        ),
        ({"bool": {"must": {"span_term": {"level": "E"}}}}, "bool.must.span_term", "supported clauses: bool, boosting"),
        ({"bool": {"filters": []}}, "bool", "'filters' is not supported"),
        ({"bool": {"minimum_should_match": "most", "should": [{"match_all": {}}]}}, "bool", "'most' is unknown"),
        ({"term": {"level": {"value": "x", "fuzzy": 1}}}, "term", "'fuzzy' is not supported"),
        ({"term": {"size_bytes": "many"}}, "term", "'many' is not a number"),
        ({"prefix": {"_id": "x"}}, "prefix", "does not support prefix"),
        ({"term": {"_source": "x"}}, "term", "field _source is not supported"),
        ({"regexp": {"level": "(a"}}, "regexp", ") expected at character 3"),
        ({"regexp": {"level": "(a|b)*a(a|b){14}"}}, "regexp", "too complex"),
        ({"regexp": {"size_bytes": "2.*"}}, "regexp", "type integer does not support regexp"),
        ({"fuzzy": {"level": {"value": "x", "fuzziness": 3}}}, "fuzzy", "fuzziness 3 is unknown"),
        ({"geo_distance": {"distance": 0, "geo_location": [1, 2]}}, "geo_distance", "distance above zero"),
        ({"dis_max": {"queries": []}}, "dis_max", "expected queries"),
        ({"nested": {"path": "metadata", "query": {"match_all": {}}}}, "nested", "no nested object"),
        ({"term": {"geo_location": "1,2"}}, "term", "whether it exists"),
        ({"terms": {"level": [None]}}, "terms", "expected a string, number or boolean"),
        ({"range": {"size_bytes": {"from": 1, "to": 2}}}, "range", "'from' is not supported"),
        ({"range": {"size_bytes": {"lte": 2**31}}}, "range", "out of range"),
        ({"range": {"timestamp": {"gte": "yesterday"}}}, "range", "'yesterday' is not a date"),
        ({"range": {"timestamp": {"gte": "now-1x"}}}, "range", "unknown date math"),
        ({"range": {"timestamp": {"gte": "now", "format": "dd/MM/yyyy"}}}, "range", "format 'dd/MM/yyyy'"),
        ({"range": {"timestamp": {"gte": "now", "time_zone": "Mars"}}}, "range", "unknown time zone 'Mars'"),
        ({"wildcard": {"size_bytes": "2*"}}, "wildcard", "type integer does not support wildcard"),
        ({"match_phrase": {"message": {"query": "a b", "slop": -2}}}, "match_phrase", "slop: expected a whole number"),
        ({"query_string": {"query": "level:("}}, "query_string", "unexpected 'end of text'"),
        ({"term": {}, "match": {}}, "", "one clause"),
        ("level:ERROR", "", "expected an object"),
    ],
)
def test_refusals_name_the_clause_and_the_reason(query: Any, clause: str, reason: str) -> None:
    with pytest.raises(QueryError) as refusal:
        compile_dsl(query, product_mapping(), now)
    assert refusal.value.clause == clause
    assert reason in refusal.value.reason
    assert clause in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("message:/(a/", ") expected at character 3"),
        ("parsed_fields.\\*:web01", "'web01' is not a number"),
        ("timestamp:2026-11-22T10:00:00Z", "unexpected ':'"),
        ("size_bytes:abc", "'abc' is not a number"),
        ("size_bytes:20*", "does not support prefix"),
        ("failed AND", "end of text"),
        ('"open', "cannot read"),
        ("a\\", "cannot read"),
        ("(" * 200, "nested deeper"),
    ],
)
def test_refused_query_strings(text: str, reason: str) -> None:
    with pytest.raises(QueryError) as refusal:
        compile_text(text, product_mapping(), now)
    assert reason in refusal.value.reason


def test_now_is_asked_at_every_document() -> None:
    clock = [now()]
    query = compile_text("timestamp:>now-1m", product_mapping(), lambda: clock[0])
    assert query.predicate(DOCUMENT)
    clock[0] += timedelta(seconds=31)
    assert not query.predicate(DOCUMENT)


def test_values_over_ignore_above_are_not_in_the_keyword() -> None:
    exists = compile_text("message.keyword:*", product_mapping(), now).predicate
    assert exists({"message": "\U0001f600" * 128})
    assert not exists({"message": "\U0001f600" * 128 + "x"})
    assert exists({"message": ["x" * 257, "short"]})


def test_many_stars_cost_no_more_than_the_text_is_long() -> None:
    pattern = "*" + "a?a*" * 30 + "b"
    matches = compile_dsl({"wildcard": {"metadata.x": pattern}}, product_mapping(), now).predicate
    assert not matches({"metadata": {"x": "a" * 8000}})
    assert matches({"metadata": {"x": "a" * 8000 + "b"}})


def test_the_tree_is_plain_data() -> None:
    tree = compile_text("level:ERROR AND NOT tags:dev", product_mapping(), now).tree
    assert isinstance(tree, AllOf)
    wanted, unwanted = tree.nodes
    assert isinstance(wanted, OneOf)
    assert (wanted.field.path, wanted.values) == ("level", frozenset({"ERROR"}))
    assert isinstance(unwanted, Not)


def test_an_unknown_analyzer_is_refused() -> None:
    body = {"mappings": {"properties": {"message": {"type": "text", "analyzer": "german"}}}}
    with pytest.raises(ValueError, match="message: analyzer 'german'"):
        mapping_from(body)


def test_the_mapping_has_the_seeds_fields() -> None:
    assert set(PRODUCT_MAPPING["mappings"]["properties"]) - {"overflow", "latency_ms"} == {
        "log_id", "source_id", "timestamp", "level", "message", "raw_log", "category", "tags", "metadata",
        "parsed_fields", "geo_location", "size_bytes", "processing_status", "created_at",
    }  # fmt: skip
    long = mapping_from(PRODUCT_MAPPING).field("message.log")
    assert long is not None
    assert long.analyzer.stem
