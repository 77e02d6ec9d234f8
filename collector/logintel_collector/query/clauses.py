"""Query DSL: the JSON clauses and their nesting as a predicate tree. What is not known is refused by name and path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logintel.event import Json
from logintel_collector.query.boolean import combine
from logintel_collector.query.error import QueryError
from logintel_collector.query.leaf_clauses import MAKERS
from logintel_collector.query.leaves import Leaves, truth
from logintel_collector.query.parameters import Body, known_keys, minimum_of
from logintel_collector.query.tree import Node

_DEPTH: Final = 30
_OCCURS: Final = ("must", "filter", "should", "must_not")
_KNOWN: Final = f"supported clauses: bool, {', '.join(MAKERS)}"


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
        make = MAKERS.get(name)
        if make is None and name != "bool":
            raise QueryError(path, f"clause {name!r} is not supported; {_KNOWN}")
        if not isinstance(body, dict):
            raise QueryError(path, "expected an object")
        try:
            return make(self.leaves, body) if make else self.boolean(body, path, depth)
        except QueryError:
            raise
        except ValueError as error:
            raise QueryError(path, str(error)) from None

    def boolean(self, body: Body, path: str, depth: int) -> Node:
        known_keys(body, {*_OCCURS, "minimum_should_match", "adjust_pure_negative"})
        must, filters, should, must_not = (self.nodes(body.get(key, []), f"{path}.{key}", depth) for key in _OCCURS)
        pure = truth(body.get("adjust_pure_negative", True))
        return combine([*must, *filters], should, must_not, minimum_of(body), adjust_pure_negative=pure)

    def nodes(self, value: Json, path: str, depth: int) -> list[Node]:
        """The trees of one clause or of a list of them; null is none, as Elasticsearch has it."""
        if value is None:
            return []
        if isinstance(value, list):
            return [self.node(item, f"{path}[{place}]", depth + 1) for place, item in enumerate(value)]
        return [self.node(value, path, depth + 1)]
