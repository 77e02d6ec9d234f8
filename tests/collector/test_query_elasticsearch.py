"""Queries match what a real Elasticsearch 9.2.0 matched, and are refused where it refused (data/query/README.md)."""

import copy
import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logintel.event import Json
from logintel_collector.query import Mapping, Predicate, QueryError, compile_dsl, mapping_from
from logintel_collector.query.analysis import Analyzer

DATA = Path(__file__).parent / "data" / "query"
#: Clauses, parameters and forms that Elasticsearch knows and we refuse by name; anything else must be answered.
REFUSED = (
    "slop is not supported",
    "proximity search",
    "fuzzy search",
    "'fuzziness'",
    "regular expressions",
    "field _i",
    "expected query and default_field",
    "'phrase_slop'",
    "'type'",
    "'fuzzy_prefix_length'",
    "'fields'",
)
UNSUPPORTED = {
    "constant_score",
    "dis_max",
    "function_score",
    "fuzzy",
    "geo_bounding_box",
    "geo_distance",
    "ids",
    "intervals",
    "match_bool_prefix",
    "match_phrase_prefix",
    "more_like_this",
    "multi_match",
    "regexp",
    "simple_query_string",
    "terms_set",
    "wrapper",
}


def lines(name: str) -> list[str]:
    return gzip.decompress((DATA / name).read_bytes()).decode().splitlines()


def now() -> datetime:
    return datetime(2026, 11, 22, 12, tzinfo=UTC)


def compiled(query: Json, mapping: Mapping) -> tuple[Predicate | None, QueryError | None]:
    try:
        return compile_dsl(query, mapping, now).predicate, None
    except QueryError as error:
        return None, error


@pytest.mark.parametrize("analyzer", ["plain", "snowball"])
def test_matches_what_elasticsearch_matched(analyzer: str) -> None:
    body = json.loads((DATA / "edge_mapping.json").read_text())
    if analyzer == "plain":
        body = copy.deepcopy(body)
        body["settings"]["analysis"]["analyzer"]["log_analyzer"]["filter"].remove("snowball")
    mapping = mapping_from(body)
    docs = [json.loads(line) for line in lines("edge_docs.jsonl.gz")]
    answered: Counter[str] = Counter()
    for query in map(json.loads, lines("edge_queries.jsonl.gz")):
        expected = query[analyzer]
        matches, refusal = compiled(query["query"], mapping)
        if refusal:
            kind = next(iter(query["query"]))
            known = kind in UNSUPPORTED or refusal.reason.startswith(REFUSED)
            assert "error" in expected or known, f"{query['id']}: {refusal}"
            assert refusal.clause.startswith(kind)
            answered["refused"] += 1
            continue
        assert matches
        assert "ids" in expected, f"{query['id']} must be refused: {expected}"
        ids = [doc["_id"] for doc in docs if matches(doc["_source"])]
        assert ids == expected["ids"], (query["id"], query["query"])
        answered["matched"] += 1
    assert answered == {"matched": 247, "refused": 130}


def test_texts_become_the_terms_that_elasticsearch_made() -> None:
    plain, stemmed = Analyzer(stop=True), Analyzer(stop=True, stem=True)
    vectors = [json.loads(line) for line in lines("analysis.jsonl.gz")]
    assert len(vectors) > 900
    for vector in vectors:
        terms = plain.terms(vector["text"])
        assert [[term, place] for place, term in enumerate(terms) if term] == vector["tokens"], vector["text"]
        assert [term for term in stemmed.terms(vector["text"]) if term] == vector["stems"], vector["text"]


def test_words_have_the_stems_of_lucenes_english() -> None:
    stemmed = Analyzer(stem=True)
    for word, stem in (line.split("\t") for line in lines("stems.tsv.gz")):
        assert stemmed.terms(word) == [stem]
