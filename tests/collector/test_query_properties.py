"""Compiling refuses or works, whatever it is given; narrowing never loses a match."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel_collector.query import (
    QueryError,
    Required,
    compile_dsl,
    compile_text,
    mapping_from,
    product_mapping,
    required,
)
from logintel_collector.query.narrow import index_terms

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WORDS = ("failed", "login", "root", "Foo_Bar", "o'neil", "10.0.0.1", "caf\u00e9", "\u212a2", "the", "a-b", "x" * 260)
FIELDS = (
    "message", "message.keyword", "message.log", "raw_log", "level", "tags", "timestamp", "size_bytes", "metadata.source",
    "metadata.user", "metadata", "parsed_fields.line_number", "geo_location", "nosuch", "source_id", "metadata.a.b",
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from((*WORDS, "ERROR", "now-1h/d", "2026-11-22", "2026", "5", "*", "?", "fai*", "\\", "", "true")),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
)
JSON = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CLAUSES = (
    "term", "match", "match_phrase", "prefix", "wildcard", "terms", "range", "exists", "query_string", "regexp",
    "fuzzy", "ids", "match_bool_prefix", "match_phrase_prefix", "multi_match", "simple_query_string", "geo_distance",
    "geo_bounding_box", "terms_set", "dis_max", "constant_score", "boosting", "function_score", "wrapper", "nested",
)  # fmt: skip
PARAMETERS = (
    "value", "query", "operator", "minimum_should_match", "case_insensitive", "boost", "gt", "gte", "lt", "lte", "format",
    "time_zone", "slop", "field", "default_field", "zero_terms_query", "fuzziness", "fields", "values", "type", "flags",
    "lenient", "queries", "filter", "distance", "prefix_length", "analyze_wildcard", "default_operator",
)  # fmt: skip
BODIES = st.dictionaries(
    st.sampled_from(FIELDS + PARAMETERS),
    VALUES | JSON | st.dictionaries(st.sampled_from(PARAMETERS), VALUES | JSON, max_size=3),
    max_size=3,
)


DOCUMENT: dict[str, Any] = {
    "message": "failed login",
    "level": "ERROR",
    "timestamp": "2026-11-22T10:00:00.000000Z",
    "size_bytes": 5,
}


def now() -> datetime:
    return NOW


def clauses(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: st.builds(
            lambda body: {"bool": body},
            st.dictionaries(
                st.sampled_from(("must", "filter", "should", "must_not")),
                inner | st.lists(inner, max_size=3),
                max_size=4,
            ),
        ),
        max_leaves=6,
    )


ANY_QUERY = clauses(st.builds(lambda name, body: {name: body}, st.sampled_from(CLAUSES), BODIES | JSON)) | JSON
TEXT = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
VALID = clauses(
    st.one_of(
        st.builds(
            lambda kind, name, value: {kind: {name: value}},
            st.sampled_from(("term", "match", "match_phrase", "prefix", "wildcard")),
            st.sampled_from(("message", "message.keyword", "message.log", "raw_log", "level", "metadata.source")),
            TEXT | st.sampled_from(("ERROR", "fai*", "*failed log*", "*-login root-*", "failed lo?in", "shop")),
        ),
        st.builds(
            lambda low, high: {"range": {"timestamp": {low: "2026-11-22T10:00:00.001Z", high: "now-1h"}}},
            st.sampled_from(("gt", "gte")),
            st.sampled_from(("lt", "lte")),
        ),
        st.builds(
            lambda values: {"terms": {"level": values}}, st.lists(st.sampled_from(("ERROR", "WARN")), max_size=2)
        ),
        st.builds(
            lambda text: {"query_string": {"query": text}}, st.sampled_from(("failed login", "failed AND root", "*"))
        ),
    )
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "log_id": st.sampled_from(("a", "b")),
        "timestamp": st.sampled_from(
            (
                "2026-11-22T10:00:00.000999Z",
                "2026-11-22T10:00:00.001999Z",
                "2026-11-22T11:00:00.000500Z",
                "2026-11-22T11:00:00.001000Z",
            )
        ),
        "level": st.sampled_from(("ERROR", "WARN", None)),
        "message": TEXT | st.lists(st.sampled_from(WORDS), max_size=3).map("".join),
        "raw_log": TEXT,
        "metadata": st.sampled_from(({"source": "shop"}, {"source": "other"}, {})),
    }
)


@given(ANY_QUERY)
def test_compiling_any_json_raises_nothing_but_query_error(query: Any) -> None:
    with suppress(QueryError):
        compile_dsl(query, product_mapping(), now).predicate(DOCUMENT)


@given(
    st.text()
    | st.lists(
        st.sampled_from((*WORDS, "AND", "OR", "NOT", "(", ")", "level:", "tags:", "timestamp:", "size_bytes:", '"', "[", "]",
                         "TO", "{", "}", "*", "?", "~2", "^2", "/", "\\", ">=", "<", "+", "-", "_exists_:", "now")),
        max_size=9,
    ).map(" ".join)
)  # fmt: skip
def test_parsing_any_text_raises_nothing_but_query_error(text: str) -> None:
    with suppress(QueryError):
        compile_text(text, product_mapping(), now).predicate(DOCUMENT)


def satisfies(need: Required, document: dict[str, Any]) -> bool:
    terms = index_terms(document["message"]) | index_terms(document["raw_log"])
    exact = {"level": document["level"], "metadata.source": document["metadata"].get("source")}
    return (
        terms.issuperset(need.terms)
        and all(exact[name] in values for name, values in need.equals.items())
        and (need.after is None or need.after <= document["timestamp"])
        and (need.before is None or document["timestamp"] <= need.before)
    )


@given(VALID, st.lists(DOCUMENTS, min_size=1, max_size=8))
def test_every_match_has_what_narrowing_requires(query: Any, documents: list[dict[str, Any]]) -> None:
    compiled = compile_dsl(query, product_mapping(), now)
    need = required(compiled.tree)
    assert all(satisfies(need, document) for document in documents if compiled.predicate(document))


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ('message:"failed login" AND raw_log:10.0.0.1', ("0", "1", "10", "failed", "login")),
        ("failed OR login", ()),
        ("failed root OR failed login AND failed", ("failed", "login")),
        ("failed AND NOT login", ("failed",)),
        ("message.log:failing", ()),
        ("message.keyword:*a-b\\ c-d*", ("b", "c")),
        ("message.keyword:*x?b-c-d?y*", ("c",)),
    ],
)
def test_narrows_by_words(query: str, terms: tuple[str, ...]) -> None:
    assert required(compile_text(query, product_mapping(), now).tree).terms == terms


def test_narrows_by_value_and_time() -> None:
    query = 'level:(ERROR OR WARN) AND metadata.source:shop AND timestamp:[2026-11-22 TO now] AND NOT category:"x"'
    need = required(compile_text(query, product_mapping(), now).tree)
    assert need.equals == {"level": {"ERROR", "WARN"}, "metadata.source": {"shop"}}
    assert need.after == "2026-11-22T00:00:00.000000Z"
    assert need.before is None
    fixed = required(compile_text("timestamp:<=2026-11-22", product_mapping(), now).tree)
    assert fixed.before == "2026-11-22T23:59:59.999999Z"


@given(
    st.lists(st.sampled_from((*WORDS, " ", "_", "-", "\u4f60", "\U0001f600")), max_size=6).map("".join),
    st.text(max_size=12),
)
def test_a_document_has_every_term_of_its_own_text(words: str, text: str) -> None:
    mapping = mapping_from({"mappings": {"properties": {"message": {"type": "text"}}}})
    document = {"message": words + text}
    assert compile_dsl(
        {"match_phrase": {"message": {"query": words + text, "zero_terms_query": "all"}}}, mapping, now
    ).predicate(document)
