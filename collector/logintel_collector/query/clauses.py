"""Query DSL: the JSON clauses, checked key by key, as a predicate tree. What is not known is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Final, TypeAlias

from logintel.event import Json
from logintel_collector.query.boolean import combine
from logintel_collector.query.dates import zone_of
from logintel_collector.query.error import QueryError
from logintel_collector.query.leaves import Leaves, Limits, required_text, truth
from logintel_collector.query.lucene import TextOptions, parse_text
from logintel_collector.query.mapping import Field
from logintel_collector.query.tree import Everything, Exists, Node, Nothing

Body: TypeAlias = dict[str, Json]
#: Keys that change the score or the name of a clause, never what it matches.
_NEUTRAL: Final = frozenset({"boost", "_name"})
_DEPTH: Final = 30


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
        if name == "bool":
            return self.boolean(_object(body, path), path, depth)
        make = _MAKERS.get(name)
        if make is None:
            raise QueryError(path, f"clause {name!r} is not supported; {_KNOWN}")
        try:
            return make(self, _object(body, path))
        except QueryError as error:
            raise QueryError(path, error.reason) from None
        except ValueError as error:
            raise QueryError(path, str(error)) from None

    def boolean(self, body: Body, path: str, depth: int) -> Node:
        _check_keys(
            body, {"must", "filter", "should", "must_not", "minimum_should_match", "adjust_pure_negative"}, path
        )
        parts = {
            key: self.nodes(body.get(key, []), f"{path}.{key}", depth)
            for key in ("must", "filter", "should", "must_not")
        }
        try:
            return combine(
                [*parts["must"], *parts["filter"]],
                parts["should"],
                parts["must_not"],
                _minimum(body),
                adjust_pure_negative=truth(body.get("adjust_pure_negative", True)),
            )
        except ValueError as error:
            raise QueryError(path, str(error)) from None

    def nodes(self, value: Json, path: str, depth: int) -> list[Node]:
        """The trees of one clause or of a list of them."""
        if isinstance(value, list):
            return [self.node(item, f"{path}[{place}]", depth + 1) for place, item in enumerate(value)]
        return [self.node(value, path, depth + 1)]

    def match_all(self, body: Body) -> Node:
        _known_keys(body, set())
        return Everything()

    def match_none(self, body: Body) -> Node:
        _known_keys(body, set())
        return Nothing()

    def term(self, body: Body) -> Node:
        name, value, options = _field_value(body, "value", {"case_insensitive"})
        required_text(value)
        return self.on(name, lambda field: self.leaves.term(field, value, fold=_fold(options)))

    def terms(self, body: Body) -> Node:
        named = {key: value for key, value in body.items() if key not in _NEUTRAL}
        if len(named) != 1:
            raise ValueError("expected one field with a list of values")
        ((name, values),) = named.items()
        if not isinstance(values, list):
            raise ValueError(f"expected a list of values for {name}; terms lookup is not supported")
        for value in values:
            required_text(value)
        return self.on(name, lambda field: self.leaves.terms(field, values))

    def match(self, body: Body) -> Node:
        name, value, options = _field_value(body, "query", {"operator", "minimum_should_match", "zero_terms_query"})
        text = required_text(value)
        operator = str(options.get("operator", "or")).lower()
        if operator not in ("or", "and"):
            raise ValueError(f"operator {operator!r} is unknown: expected or, and")
        empty, minimum = _zero_terms(options), _minimum(options)

        def make(field: Field) -> Node:
            words = self.leaves.words(field, text)
            if not words:
                return empty
            if len(words) == 1:
                return words[0]
            return combine(words, [], [], minimum) if operator == "and" else combine([], words, [], minimum)

        return self.on(name, make)

    def match_phrase(self, body: Body) -> Node:
        name, value, options = _field_value(body, "query", {"slop", "zero_terms_query"})
        text, empty = required_text(value), _zero_terms(options)
        if str(options.get("slop", 0)) != "0":
            raise ValueError("slop is not supported (other than 0)")
        return self.on(name, lambda field: self.leaves.phrase(field, text) or empty)

    def prefix(self, body: Body) -> Node:
        name, value, options = _field_value(body, "value", {"case_insensitive"})
        text, fold = required_text(value), _fold(options)
        return self.on(name, lambda field: self.leaves.prefix(field, text, fold=fold))

    def wildcard(self, body: Body) -> Node:
        name, value, options = _field_value(body, "value", {"case_insensitive", "wildcard"})
        text, fold = required_text(options.get("wildcard", value)), _fold(options)
        return self.on(name, lambda field: self.leaves.like(field, text, fold=fold))

    def range(self, body: Body) -> Node:
        name, _, options = _field_value(body, "", {"gt", "gte", "lt", "lte", "time_zone", "format"}, short=False)
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
        return self.on(name, lambda field: self.leaves.range(field, limits))

    def exists(self, body: Body) -> Node:
        _known_keys(body, {"field"})
        name = body.get("field")
        if not isinstance(name, str) or not name:
            raise ValueError("expected field: a field's name")
        return exists(self.leaves, name)

    def query_string(self, body: Body) -> Node:
        options = {
            "query",
            "default_field",
            "default_operator",
            "analyze_wildcard",
            "minimum_should_match",
            "time_zone",
        }
        _known_keys(body, options)
        text, default = body.get("query"), body.get("default_field", self.leaves.mapping.default_field)
        if not isinstance(text, str) or not isinstance(default, str):
            raise ValueError("expected query and default_field, each a text")
        operator = str(body.get("default_operator", "or")).lower()
        if operator not in ("or", "and"):
            raise ValueError(f"default_operator {operator!r} is unknown: expected or, and")
        zone = zone_of(str(body["time_zone"])) if "time_zone" in body else None
        wide = truth(body.get("analyze_wildcard", False))
        return parse_text(text, self.leaves, TextOptions(default, operator == "and", wide, _minimum(body), zone))

    def on(self, name: str, make: Callable[[Field], Node]) -> Node:
        """The node for a field; a field that was never indexed matches nothing."""
        field = queried(self.leaves, name)
        return Nothing() if field is None else make(field)


def queried(leaves: Leaves, name: str) -> Field | None:
    """The field of that name. Raises ValueError for Elasticsearch's own fields, which a document does not carry."""
    if name.startswith("_"):
        raise ValueError(f"field {name} is not supported: it is no part of the document (an event's id is log_id)")
    return leaves.mapping.field(name)


def exists(leaves: Leaves, name: str) -> Node:
    """The field, or with `object.*` anything inside it, has an indexed value. Raises ValueError."""
    name = name.removesuffix(".*")
    if "*" in name or "?" in name:
        raise ValueError(f"field pattern {name!r} is not supported; supported: a name, or object.*")
    field = queried(leaves, name)
    if field is None:
        return Nothing()
    return Exists(field)


def _object(body: Json, path: str) -> Body:
    if not isinstance(body, dict):
        raise QueryError(path, "expected an object")
    return body


def _check_keys(body: Body, known: set[str], path: str) -> None:
    try:
        _known_keys(body, known)
    except ValueError as error:
        raise QueryError(path, str(error)) from None


def _known_keys(body: Iterable[str], known: set[str]) -> None:
    for key in body:
        if key not in known and key not in _NEUTRAL:
            supported = ", ".join(sorted(known | _NEUTRAL))
            raise ValueError(f"{key!r} is not supported; supported: {supported}")


def _field_value(body: Body, value_key: str, known: set[str], *, short: bool = True) -> tuple[str, Json, Body]:
    """The field, its value and its options, of `{field: value}` or `{field: {value_key: value, ...}}`."""
    if len(body) != 1:
        raise ValueError(f"expected one field, got {len(body)}")
    ((name, given),) = body.items()
    if not isinstance(given, dict):
        if not short:
            raise ValueError(f"expected an object for {name}")
        return name, given, {}
    _known_keys(given, known | ({value_key} if value_key else set()))
    return name, given.get(value_key), given


def _fold(options: Body) -> bool:
    return truth(options.get("case_insensitive", False))


def _minimum(options: Body) -> int | str | None:
    value = options.get("minimum_should_match")
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    raise ValueError("minimum_should_match: expected a number or a text such as 75%")


def _zero_terms(options: Body) -> Node:
    wanted = str(options.get("zero_terms_query", "none")).lower()
    if wanted not in ("none", "all"):
        raise ValueError(f"zero_terms_query {wanted!r} is unknown: expected none, all")
    return Everything() if wanted == "all" else Nothing()


_MAKERS: Final[dict[str, Callable[[_Clauses, Body], Node]]] = {
    "exists": _Clauses.exists,
    "match": _Clauses.match,
    "match_all": _Clauses.match_all,
    "match_none": _Clauses.match_none,
    "match_phrase": _Clauses.match_phrase,
    "prefix": _Clauses.prefix,
    "query_string": _Clauses.query_string,
    "range": _Clauses.range,
    "term": _Clauses.term,
    "terms": _Clauses.terms,
    "wildcard": _Clauses.wildcard,
}
_KNOWN: Final = f"supported clauses: bool, {', '.join(_MAKERS)}"
