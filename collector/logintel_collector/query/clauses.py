"""Query DSL: the JSON clauses and their nesting as a predicate tree. What is not known is refused by name and path."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from logintel.event import Json
from logintel_collector.query import geo_clauses, leaf_clauses, text_clauses
from logintel_collector.query.boolean import combine
from logintel_collector.query.error import QueryError
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.parameters import Body, known_keys, minimum_of
from logintel_collector.query.scalars import required_text, truth
from logintel_collector.query.string_clauses import query_string, simple_query_string
from logintel_collector.query.tree import Everything, Node, Nothing, any_of

_DEPTH: Final = 30
_OCCURS: Final = ("must", "filter", "should", "must_not")
#: Clause name → what makes its node; these have no clauses inside them.
_LEAVES: Final[dict[str, Callable[[Leaves, Body], Node]]] = {
    **leaf_clauses.MAKERS,
    "geo_bounding_box": geo_clauses.geo_bounding_box,
    "geo_distance": geo_clauses.geo_distance,
    "match": text_clauses.match,
    "match_bool_prefix": text_clauses.match_bool_prefix,
    "match_phrase": text_clauses.match_phrase,
    "match_phrase_prefix": text_clauses.match_phrase_prefix,
    "multi_match": text_clauses.multi_match,
    "query_string": query_string,
    "simple_query_string": simple_query_string,
}


def tree_of(query: Json, leaves: Leaves) -> Node:
    """The tree of a Query DSL object. Raises QueryError."""
    return _Clauses(leaves).node(query, "", 0)


@dataclass(frozen=True, slots=True)
class _Clauses:
    leaves: Leaves

    def node(self, query: Json, path: str, depth: int) -> Node:
        """The tree of one clause `{name: body}`."""
        if not isinstance(query, dict) or len(query) != 1:
            raise QueryError(path, f"expected an object with one clause, {{name: ...}}; {_KNOWN}")
        ((name, body),) = query.items()
        path = f"{path}.{name}" if path else name
        if depth > _DEPTH:
            raise QueryError(path, f"nested deeper than {_DEPTH} levels")
        if name not in _LEAVES and name not in _COMPOUNDS:
            raise QueryError(path, f"clause {name!r} is not supported; {_KNOWN}")
        if not isinstance(body, dict):
            raise QueryError(path, "expected an object")
        try:
            return _LEAVES[name](self.leaves, body) if name in _LEAVES else _COMPOUNDS[name](self, body, path, depth)
        except QueryError:
            raise
        except ValueError as error:
            raise QueryError(path, str(error)) from None

    def boolean(self, body: Body, path: str, depth: int) -> Node:
        known_keys(body, {*_OCCURS, "minimum_should_match", "adjust_pure_negative"})
        must, filters, should, must_not = (self.nodes(body.get(key, []), f"{path}.{key}", depth) for key in _OCCURS)
        pure = truth(body.get("adjust_pure_negative", True))
        return combine([*must, *filters], should, must_not, minimum_of(body), adjust_pure_negative=pure)

    def constant_score(self, body: Body, path: str, depth: int) -> Node:
        known_keys(body, {"filter"})
        return self.inner(body, "filter", path, depth)

    def boosting(self, body: Body, path: str, depth: int) -> Node:
        """What the negative part matches scores less, but matches."""
        known_keys(body, {"positive", "negative", "negative_boost"})
        self.inner(body, "negative", path, depth)
        boost = body.get("negative_boost")
        if isinstance(boost, bool) or not isinstance(boost, int | float) or boost < 0:
            raise ValueError("expected negative_boost, a number from 0 on")
        return self.inner(body, "positive", path, depth)

    def dis_max(self, body: Body, path: str, depth: int) -> Node:
        known_keys(body, {"queries", "tie_breaker"})
        nodes = self.nodes(body.get("queries", []), f"{path}.queries", depth)
        if not nodes:
            raise ValueError("expected queries: a list of one clause or more")
        return any_of(nodes)

    def function_score(self, body: Body, path: str, depth: int) -> Node:
        """Only what changes the score; what could leave documents out (min_score) is refused."""
        known_keys(body, {"query", "boost_mode", "max_boost", "score_mode", "weight"})
        return self.inner(body, "query", path, depth) if "query" in body else Everything()

    def wrapper(self, body: Body, path: str, depth: int) -> Node:
        known_keys(body, {"query"})
        try:
            inner = orjson.loads(b64decode(required_text(body.get("query")), validate=True))
        except ValueError:
            raise ValueError("expected query: a clause as JSON in Base64") from None
        return self.node(inner, f"{path}.query", depth + 1)

    def nested(self, body: Body, path: str, depth: int) -> Node:
        """An object that is not of type nested has none to look into."""
        known_keys(body, {"path", "query", "score_mode", "ignore_unmapped"})
        self.inner(body, "query", path, depth)
        name = required_text(body.get("path"))
        known = self.leaves.mapping.fields.get(name)
        if known is not None and known.kind == "nested":
            raise ValueError(f"{name} is nested, and the stream keeps no nested objects apart: ask its fields directly")
        if truth(body.get("ignore_unmapped", False)):
            return Nothing()
        raise ValueError(f"{name} is no nested object: ask its fields directly")

    def inner(self, body: Body, key: str, path: str, depth: int) -> Node:
        """The tree of the clause that a compound must have."""
        if key not in body:
            raise ValueError(f"expected {key}: a clause")
        return self.node(body[key], f"{path}.{key}", depth + 1)

    def nodes(self, value: Json, path: str, depth: int) -> list[Node]:
        """The trees of one clause or of a list of them; null is none, as Elasticsearch has it."""
        if value is None:
            return []
        if isinstance(value, list):
            return [self.node(item, f"{path}[{place}]", depth + 1) for place, item in enumerate(value)]
        return [self.node(value, path, depth + 1)]


#: Clause name → what makes its node from the clauses inside it.
_COMPOUNDS: Final[dict[str, Callable[[_Clauses, Body, str, int], Node]]] = {
    "bool": _Clauses.boolean,
    "boosting": _Clauses.boosting,
    "constant_score": _Clauses.constant_score,
    "dis_max": _Clauses.dis_max,
    "function_score": _Clauses.function_score,
    "nested": _Clauses.nested,
    "wrapper": _Clauses.wrapper,
}
_KNOWN: Final = f"supported clauses: {', '.join(sorted({*_LEAVES, *_COMPOUNDS} - {'nested'}))}"
