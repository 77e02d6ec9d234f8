"""Compiling: from Query DSL or a query string to a predicate and its tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from logintel.event import Json
from logintel_collector.query.clauses import tree_of
from logintel_collector.query.error import QueryError
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.lucene import parse_text
from logintel_collector.query.mapping import Mapping
from logintel_collector.query.predicate import predicate_of
from logintel_collector.query.reading import Predicate
from logintel_collector.query.terms import TextOptions
from logintel_collector.query.tree import Node


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query. `predicate` takes a document's `_source`, which must not be changed between two calls."""

    predicate: Predicate
    tree: Node


def compile_dsl(query: Json, mapping: Mapping, now: Callable[[], datetime]) -> Query:
    """Compile a Query DSL object, alone or as `{"query": {...}}`. Raises QueryError, nothing else.

    `now` is the clock of date math, asked at every document.
    """
    if isinstance(query, dict) and query.keys() == {"query"}:
        query = query["query"]
    tree = tree_of(query, Leaves(mapping, now))
    return Query(predicate_of(tree, mapping), tree)


def compile_text(text: str, mapping: Mapping, now: Callable[[], datetime], default_field: str = "message") -> Query:
    """Compile a Lucene query string. Raises QueryError, nothing else."""
    try:
        tree = parse_text(text, Leaves(mapping, now), TextOptions((default_field,), default_field))
    except ValueError as error:
        raise QueryError("query_string", str(error)) from None
    return Query(predicate_of(tree, mapping), tree)
