"""Queries match what a real Elasticsearch 9.2.0 matched, and are refused where it refused (data/query/README.md)."""

import copy
import gzip
import json
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logintel.event import Json
from logintel_collector.query import Mapping, Predicate, QueryError, compile_dsl, mapping_from
from logintel_collector.query.analysis import Analyzer
from logintel_collector.rules.candidates import Candidates

DATA = Path(__file__).parent / "data" / "query"
#: What Elasticsearch answers and we refuse, by name: it needs the whole index, or another document's field.
REFUSED = {
    "terms_set-01": "'minimum_should_match_field' is not supported",
    "compound-15": "clause 'more_like_this' is not supported",
    "compound-16": "clause 'intervals' is not supported",
    "qs_field-84": "field _index is not supported",
    "quickwit:0007-range_queries.yaml:20": "format \"yyyy|MM|dd 'T'HH:mm:ss.SSSSSS'Z'\" is not supported",
}
#: What we answer in another way. The first two words of an index are not known to a stream, and `*` stands for
#: the fields that the mapping names.
DIFFERENT = {"quickwit:0010-match_phrase_prefix_query.yaml:5", "quickwit:0014-multi-match-query.yaml:0"}


def lines(name: str) -> list[str]:
    return gzip.decompress((DATA / name).read_bytes()).decode().splitlines()


def now() -> datetime:
    return datetime(2026, 11, 22, 12, tzinfo=UTC)


def compiled(query: Json, mapping: Mapping) -> tuple[Predicate | None, QueryError | None]:
    try:
        return compile_dsl(query, mapping, now).predicate, None
    except QueryError as error:
        return None, error


def compare(query: dict[str, Any], expected: dict[str, Any], mapping: Mapping, docs: list[dict[str, Any]]) -> str:
    """How the answers compare: matched, refused by both, refused by us alone. Anything else fails."""
    matches, refusal = compiled(query["query"], mapping)
    if refusal:
        assert refusal.clause.startswith(next(iter(query["query"])))
        if "error" in expected:
            return "refused"
        assert refusal.reason.startswith(REFUSED[query["id"]]), f"{query['id']}: {refusal}"
        return "refused here"
    assert matches
    assert "ids" in expected, f"{query['id']} must be refused: {expected}"
    ids = [doc["_id"] for doc in docs if matches({**doc["_source"], "_id": doc["_id"]})]
    if query["id"] in DIFFERENT:
        assert ids != expected["ids"], f"{query['id']} differs no more"
        return "different"
    assert ids == expected["ids"], (query["id"], query["query"])
    return "matched"


@pytest.mark.parametrize("analyzer", ["plain", "snowball"])
def test_matches_what_elasticsearch_matched(analyzer: str) -> None:
    body = json.loads((DATA / "edge_mapping.json").read_text())
    if analyzer == "plain":
        body = copy.deepcopy(body)
        body["settings"]["analysis"]["analyzer"]["log_analyzer"]["filter"].remove("snowball")
    mapping = mapping_from(body)
    docs = [json.loads(line) for line in lines("edge_docs.jsonl.gz")]
    queries = [json.loads(line) for line in lines("edge_queries.jsonl.gz")]
    answered = Counter(compare(query, query[analyzer], mapping, docs) for query in queries)
    assert answered == {"matched": 341, "refused": 32, "refused here": 4}


def test_matches_what_elasticsearch_matched_in_events_of_github() -> None:
    mapping = mapping_from(json.loads((DATA / "quickwit" / "gharchive_index.json").read_text()))
    docs = [json.loads(line) for line in lines("quickwit/gharchive_docs.jsonl.gz")]
    queries = [json.loads(line) for line in lines("quickwit/queries.jsonl.gz")]
    answered = Counter(compare(query, query["expected"], mapping, docs) for query in queries)
    assert answered == {"matched": 154, "refused": 7, "refused here": 1, "different": 2}


def test_a_rule_is_a_candidate_for_every_document_that_it_matches() -> None:
    mapping = mapping_from(json.loads((DATA / "edge_mapping.json").read_text()))
    docs = [json.loads(line)["_source"] for line in lines("edge_docs.jsonl.gz")]
    bodies = [json.loads(line)["query"] for line in lines("edge_queries.jsonl.gz")]
    rules = []
    for body in bodies:
        with suppress(QueryError):
            rules.append(compile_dsl(body, mapping, now))
    candidates = Candidates.of([rule.tree for rule in rules])
    tried = 0
    for doc in docs:
        found = set(candidates.matching(doc))
        tried += len(found)
        missed = [bodies[place] for place, rule in enumerate(rules) if place not in found and rule.predicate(doc)]
        assert not missed, (doc, missed)
    assert tried < len(rules) * len(docs) / 2, "it leaves most of them out"


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
