"""Query DSL clauses that look for the words of a text in one field or several: match and its kin.

All raise ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from logintel_collector.query.boolean import combine
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.mapping import Field
from logintel_collector.query.nearness import Fuzziness, fuzziness
from logintel_collector.query.parameters import (
    Body,
    field_value,
    known_keys,
    minimum_of,
    number_of,
    operator_of,
    without_terms,
)
from logintel_collector.query.scalars import required_text, truth
from logintel_collector.query.tree import Node, Nothing, any_of

Kind: TypeAlias = Literal["best_fields", "most_fields", "cross_fields", "phrase", "phrase_prefix", "bool_prefix"]
_KINDS: Final[dict[str, Kind]] = {kind: kind for kind in get_args(Kind)}
_NOTHING: Final = Nothing()
#: Parameters that bound how many terms of an index are tried. A stream has no index: it tries all.
_EXPANSION: Final = {"max_expansions", "fuzzy_rewrite"}
_WORDS: Final = {
    "operator",
    "minimum_should_match",
    "zero_terms_query",
    "fuzziness",
    "prefix_length",
    "fuzzy_transpositions",
    "lenient",
    "auto_generate_synonyms_phrase_query",
    *_EXPANSION,
}
_PHRASE: Final = {"slop", "zero_terms_query", "lenient"}


@dataclass(frozen=True, slots=True)
class Wording:
    """How the words of a text are looked for.

    required  all of them (operator and)
    minimum   minimum_should_match
    empty     what stands for a text without words
    fuzzy     None: exactly
    slop      of a phrase
    lenient   a field that cannot have such a value has none; else it is an error
    """

    required: bool = False
    minimum: int | str | None = None
    empty: Node = _NOTHING
    fuzzy: Fuzziness | None = None
    slop: int = 0
    lenient: bool = False

    def node(self, leaves: Leaves, field: Field, text: str, kind: Kind = "best_fields") -> Node:
        """What the text asks of one field. Raises ValueError."""
        try:
            if kind in ("phrase", "phrase_prefix"):
                return leaves.phrase(field, text, self.slop, prefix=kind == "phrase_prefix") or self.empty
            words = (
                leaves.begun(field, text, self.fuzzy)
                if kind == "bool_prefix"
                else leaves.words(field, text, self.fuzzy)
            )
        except ValueError:
            if self.lenient:
                return Nothing()
            raise
        return self.joined(words)

    def joined(self, words: list[Node]) -> Node:
        """The words as one node."""
        if len(words) < 2:
            return words[0] if words else self.empty
        return combine(words, [], [], self.minimum) if self.required else combine([], words, [], self.minimum)


def match(leaves: Leaves, body: Body) -> Node:
    return _one_field(leaves, body, _WORDS, "best_fields")


def match_bool_prefix(leaves: Leaves, body: Body) -> Node:
    return _one_field(leaves, body, _WORDS - {"zero_terms_query", "lenient"}, "bool_prefix")


def match_phrase(leaves: Leaves, body: Body) -> Node:
    return _one_field(leaves, body, _PHRASE - {"lenient"}, "phrase")


def match_phrase_prefix(leaves: Leaves, body: Body) -> Node:
    return _one_field(leaves, body, _PHRASE - {"lenient"} | _EXPANSION, "phrase_prefix")


def multi_match(leaves: Leaves, body: Body) -> Node:
    known_keys(body, {"query", "fields", "type", "tie_breaker", *_WORDS, *_PHRASE})
    if "query" not in body:
        raise ValueError("expected query, a text")
    text, kind = required_text(body["query"]), kind_of(body)
    given = body.get("fields", [])
    names = field_names({"fields": [given] if isinstance(given, str) else given}) or leaves.mapping.default_fields
    wording = wording_of(body if given else {"lenient": names == ("*",), **body})
    fields = [field for name in names for field in leaves.fields(name)]
    if kind == "cross_fields":
        return across(leaves, fields, text, wording)
    return any_of(wording.node(leaves, field, text, kind) for field in fields)


def field_names(body: Body) -> list[str]:
    """The names of `fields`, without their boosts."""
    names = body.get("fields", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("fields: expected a list of names")
    return [_without_boost(str(name)) for name in names]


def wording_of(body: Body) -> Wording:
    """The wording that a clause's parameters describe."""
    fuzzy = None
    if "fuzziness" in body:
        swaps = truth(body.get("fuzzy_transpositions", True))
        fuzzy = fuzziness(body["fuzziness"], number_of(body, "prefix_length"), swaps=swaps)
    return Wording(
        operator_of(body, "operator"),
        minimum_of(body),
        without_terms(body),
        fuzzy,
        number_of(body, "slop"),
        truth(body.get("lenient", False)),
    )


def _one_field(leaves: Leaves, body: Body, known: set[str], kind: Kind) -> Node:
    name, value, options = field_value(body, "query", known)
    text, wording = required_text(value), wording_of(options)
    field = leaves.field(name)
    return Nothing() if field is None else wording.node(leaves, field, text, kind)


def across(leaves: Leaves, fields: list[Field], text: str, wording: Wording) -> Node:
    """Each word in any of the fields; fields that are analysed in different ways are asked apart. Raises ValueError."""
    if wording.fuzzy:
        raise ValueError("fuzziness is not allowed for type cross_fields")
    groups: dict[object, list[Field]] = {}
    for field in fields:
        view = leaves.analyzed(field)
        groups.setdefault(view and view.analyzer, []).append(field)
    return any_of(_in_any(leaves, group, text, wording) for group in groups.values())


def _in_any(leaves: Leaves, fields: list[Field], text: str, wording: Wording) -> Node:
    columns = []
    for field in fields:
        try:
            columns.append(leaves.words(field, text))
        except ValueError:
            if not wording.lenient:
                raise
    return wording.joined([any_of(words) for words in zip(*columns, strict=True)]) if columns else Nothing()


def kind_of(body: Body) -> Kind:
    """Parameter `type`. Raises ValueError."""
    name = str(body.get("type", "best_fields")).lower()
    if name not in _KINDS:
        raise ValueError(f"type {name!r} is unknown: expected {', '.join(_KINDS)}")
    return _KINDS[name]


def _without_boost(name: str) -> str:
    field, caret, boost = name.partition("^")
    if caret:
        try:
            float(boost)
        except ValueError:
            raise ValueError(f"fields: {name!r}: expected a number behind ^") from None
    return field
