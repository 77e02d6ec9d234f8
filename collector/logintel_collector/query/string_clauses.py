"""Query DSL clauses that hold a text in a query language, query_string and simple_query_string.

Both raise ValueError.
"""

from __future__ import annotations

from typing import Final

from logintel_collector.query.dates import zone_of
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.lucene import parse_text
from logintel_collector.query.nearness import fuzziness
from logintel_collector.query.parameters import Body, known_keys, minimum_of, number_of, operator_of
from logintel_collector.query.scalars import required_text, truth
from logintel_collector.query.simple import operators_of, parse_simple
from logintel_collector.query.terms import TextOptions
from logintel_collector.query.text_clauses import field_names, kind_of
from logintel_collector.query.tree import Node

_BOTH: Final = {
    "query",
    "fields",
    "default_operator",
    "analyze_wildcard",
    "minimum_should_match",
    "lenient",
    "fuzzy_prefix_length",
    "fuzzy_max_expansions",
    "fuzzy_transpositions",
    "auto_generate_synonyms_phrase_query",
}


def query_string(leaves: Leaves, body: Body) -> Node:
    known = {"default_field", "time_zone", "type", "phrase_slop", "fuzziness", "tie_breaker", "allow_leading_wildcard"}
    known_keys(body, {*_BOTH, *known, "enable_position_increments", "max_determinized_states", "escape"})
    if not truth(body.get("allow_leading_wildcard", True)) or truth(body.get("escape", False)):
        raise ValueError("allow_leading_wildcard: false and escape: true are not supported")
    return parse_text(_text(body), leaves, _options(leaves, body))


def simple_query_string(leaves: Leaves, body: Body) -> Node:
    known_keys(body, {*_BOTH, "flags"})
    return parse_simple(_text(body), leaves, _options(leaves, body), operators_of(body.get("flags", "ALL")))


def _text(body: Body) -> str:
    text = body.get("query")
    if not isinstance(text, str):
        raise ValueError("expected query, a text")
    return text


def _options(leaves: Leaves, body: Body) -> TextOptions:
    names, default = _places(leaves, body)
    swaps = truth(body.get("fuzzy_transpositions", True))
    return TextOptions(
        names,
        default,
        operator_of(body, "default_operator"),
        truth(body.get("analyze_wildcard", False)),
        minimum_of(body),
        zone_of(str(body["time_zone"])) if "time_zone" in body else None,
        kind_of(body),
        fuzziness(body.get("fuzziness", "AUTO"), number_of(body, "fuzzy_prefix_length"), swaps=swaps),
        number_of(body, "phrase_slop"),
        truth(body.get("lenient", default == "*")),
    )


def _places(leaves: Leaves, body: Body) -> tuple[tuple[str, ...], str | None]:
    """The fields that a word looks into, and the one that stands for them all."""
    if "default_field" in body:
        if "fields" in body:
            raise ValueError("default_field and fields exclude each other")
        name = required_text(body["default_field"])
        return (name,), name
    names = tuple(field_names(body))
    if names:
        return names, None
    names = leaves.mapping.default_fields
    return names, "*" if names == ("*",) else None
