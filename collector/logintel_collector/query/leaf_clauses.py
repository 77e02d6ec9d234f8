"""Query DSL clauses that ask one field (and the two that ask none) for a value, each checked key by key.

All raise ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Final

from logintel_collector.query.boolean import combine
from logintel_collector.query.bounds import Limits
from logintel_collector.query.dates import zone_of
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.mapping import ID, Field
from logintel_collector.query.nearness import fuzziness
from logintel_collector.query.parameters import NEUTRAL, Body, field_value, folds, known_keys, minimum_of, number_of
from logintel_collector.query.regexp import flags_of, matcher
from logintel_collector.query.scalars import required_text, truth
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
    if limits.low is None and limits.high is None:
        return _on(leaves, name, Exists)
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


def regexp(leaves: Leaves, body: Body) -> Node:
    known = {"case_insensitive", "flags", "flags_value", "max_determinized_states"}
    name, value, options = field_value(body, "value", known)
    text, fold, flags = required_text(value), folds(options), flags_of(str(options.get("flags", "ALL")))
    matcher(text, flags, fold=fold)  # what is wrong with it is wrong whatever the field is
    return _on(leaves, name, lambda field: leaves.regexp(field, text, flags, fold=fold))


def fuzzy(leaves: Leaves, body: Body) -> Node:
    name, value, options = field_value(
        body, "value", {"fuzziness", "prefix_length", "max_expansions", "transpositions"}
    )
    swaps = truth(options.get("transpositions", True))
    wanted = fuzziness(options.get("fuzziness", "AUTO"), number_of(options, "prefix_length"), swaps=swaps)
    text = required_text(value)
    return _on(leaves, name, lambda field: leaves.fuzzy(field, text, wanted))


def ids(leaves: Leaves, body: Body) -> Node:
    known_keys(body, {"values"})
    values = body.get("values")
    if not isinstance(values, list):
        raise ValueError("expected values: a list of ids")
    texts = [required_text(value) for value in values]
    return _on(leaves, ID, lambda field: leaves.terms(field, texts))


def terms_set(leaves: Leaves, body: Body) -> Node:
    """A document's own minimum (minimum_should_match_field, _script) is refused."""
    name, values, options = field_value(body, "terms", {"minimum_should_match"}, short=False)
    if not isinstance(values, list) or "minimum_should_match" not in options:
        raise ValueError("expected terms, a list, and minimum_should_match")
    minimum = minimum_of(options) or 0
    return _on(leaves, name, lambda field: combine([], [leaves.term(field, value) for value in values], [], minimum))


def _on(leaves: Leaves, name: str, make: Callable[[Field], Node]) -> Node:
    """The node for a field; a field that was never indexed matches nothing."""
    field = leaves.field(name)
    return Nothing() if field is None else make(field)


#: Clause name → what makes its node.
MAKERS: Final[dict[str, Callable[[Leaves, Body], Node]]] = {
    "exists": exists,
    "fuzzy": fuzzy,
    "ids": ids,
    "match_all": match_all,
    "match_none": match_none,
    "prefix": prefix,
    "range": range_,
    "regexp": regexp,
    "term": term,
    "terms": terms,
    "terms_set": terms_set,
    "wildcard": wildcard,
}
