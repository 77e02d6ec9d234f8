"""Query DSL clauses that ask one field (and the two that ask none), each checked key by key. All raise ValueError."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Final

from logintel_collector.query.boolean import combine
from logintel_collector.query.dates import zone_of
from logintel_collector.query.leaves import Leaves, Limits, required_text, truth
from logintel_collector.query.lucene import parse_text
from logintel_collector.query.mapping import Field
from logintel_collector.query.parameters import NEUTRAL, Body, field_value, folds, known_keys, minimum_of, without_terms
from logintel_collector.query.terms import TextOptions
from logintel_collector.query.tree import Everything, Exists, Node, Nothing


def match_all(_leaves: Leaves, body: Body) -> Node:
    known_keys(body, set())
    return Everything()


def match_none(_leaves: Leaves, body: Body) -> Node:
    known_keys(body, set())
    return Nothing()


def term(leaves: Leaves, body: Body) -> Node:
    name, value, options = field_value(body, "value", {"case_insensitive"})
    required_text(value)
    return _on(leaves, name, lambda field: leaves.term(field, value, fold=folds(options)))


def terms(leaves: Leaves, body: Body) -> Node:
    named = {key: value for key, value in body.items() if key not in NEUTRAL}
    if len(named) != 1:
        raise ValueError("expected one field with a list of values")
    ((name, values),) = named.items()
    if not isinstance(values, list):
        raise ValueError(f"expected a list of values for {name}; terms lookup is not supported")
    for value in values:
        required_text(value)
    return _on(leaves, name, lambda field: leaves.terms(field, values))


def match(leaves: Leaves, body: Body) -> Node:
    name, value, options = field_value(body, "query", {"operator", "minimum_should_match", "zero_terms_query"})
    text = required_text(value)
    operator = str(options.get("operator", "or")).lower()
    if operator not in ("or", "and"):
        raise ValueError(f"operator {operator!r} is unknown: expected or, and")
    empty, minimum = without_terms(options), minimum_of(options)

    def make(field: Field) -> Node:
        words = leaves.words(field, text)
        if not words:
            return empty
        if len(words) == 1:
            return words[0]
        return combine(words, [], [], minimum) if operator == "and" else combine([], words, [], minimum)

    return _on(leaves, name, make)


def match_phrase(leaves: Leaves, body: Body) -> Node:
    name, value, options = field_value(body, "query", {"slop", "zero_terms_query"})
    text, empty = required_text(value), without_terms(options)
    if str(options.get("slop", 0)) != "0":
        raise ValueError("slop is not supported (other than 0)")
    return _on(leaves, name, lambda field: leaves.phrase(field, text) or empty)


def prefix(leaves: Leaves, body: Body) -> Node:
    name, value, options = field_value(body, "value", {"case_insensitive"})
    text, fold = required_text(value), folds(options)
    return _on(leaves, name, lambda field: leaves.prefix(field, text, fold=fold))


def wildcard(leaves: Leaves, body: Body) -> Node:
    name, value, options = field_value(body, "value", {"case_insensitive", "wildcard"})
    text, fold = required_text(options.get("wildcard", value)), folds(options)
    return _on(leaves, name, lambda field: leaves.like(field, text, fold=fold))


def range_(leaves: Leaves, body: Body) -> Node:
    name, _, options = field_value(body, "", {"gt", "gte", "lt", "lte", "time_zone", "format"}, short=False)
    for one, other in (("gt", "gte"), ("lt", "lte")):
        if one in options and other in options:
            raise ValueError(f"{one} and {other} exclude each other")
    given = str(options.get("format", "strict_date_optional_time||epoch_millis"))
    if not {"strict_date_optional_time", "epoch_millis"} >= set(given.split("||")):
        raise ValueError(f"format {given!r} is not supported; supported: strict_date_optional_time, epoch_millis")
    zone = zone_of(str(options["time_zone"])) if "time_zone" in options else UTC
    limits = Limits(
        options.get("gt", options.get("gte")),
        options.get("lt", options.get("lte")),
        options.get("gt") is not None,
        options.get("lt") is not None,
        zone,
    )
    for limit in (limits.low, limits.high):
        if limit is not None:
            required_text(limit)
    return _on(leaves, name, lambda field: leaves.range(field, limits))


def exists(leaves: Leaves, body: Body) -> Node:
    """`field` is a name, or `object.*` for anything inside it."""
    known_keys(body, {"field"})
    name = body.get("field")
    if not isinstance(name, str) or not name:
        raise ValueError("expected field: a field's name")
    name = name.removesuffix(".*")
    if "*" in name or "?" in name:
        raise ValueError(f"field pattern {name!r} is not supported; supported: a name, or object.*")
    return _on(leaves, name, Exists)


def query_string(leaves: Leaves, body: Body) -> Node:
    options = {
        "query",
        "default_field",
        "default_operator",
        "analyze_wildcard",
        "minimum_should_match",
        "time_zone",
    }
    known_keys(body, options)
    text, default = body.get("query"), body.get("default_field", leaves.mapping.default_field)
    if not isinstance(text, str) or not isinstance(default, str):
        raise ValueError("expected query and default_field, each a text")
    operator = str(body.get("default_operator", "or")).lower()
    if operator not in ("or", "and"):
        raise ValueError(f"default_operator {operator!r} is unknown: expected or, and")
    zone = zone_of(str(body["time_zone"])) if "time_zone" in body else None
    wide = truth(body.get("analyze_wildcard", False))
    return parse_text(text, leaves, TextOptions(default, operator == "and", wide, minimum_of(body), zone))


def _on(leaves: Leaves, name: str, make: Callable[[Field], Node]) -> Node:
    """The node for a field; a field that was never indexed matches nothing."""
    field = leaves.field(name)
    return Nothing() if field is None else make(field)


#: Clause name → what makes its node.
MAKERS: Final[dict[str, Callable[[Leaves, Body], Node]]] = {
    "exists": exists,
    "match": match,
    "match_all": match_all,
    "match_none": match_none,
    "match_phrase": match_phrase,
    "prefix": prefix,
    "query_string": query_string,
    "range": range_,
    "term": term,
    "terms": terms,
    "wildcard": wildcard,
}
