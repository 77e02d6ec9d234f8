"""Leaves: what asking one field for one value means, by the field's type. Shared by Query DSL and query strings.

Everything here raises ValueError with the reason where Elasticsearch refuses the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from logintel.event import Json
from logintel_collector.query import addresses, numerals
from logintel_collector.query.analysis import fold as folded
from logintel_collector.query.analysis import lower
from logintel_collector.query.bounds import Limits, instants, numbers
from logintel_collector.query.glob import glob_parts
from logintel_collector.query.mapping import ID, Field, Mapping
from logintel_collector.query.nearness import Fuzziness
from logintel_collector.query.regexp import matcher
from logintel_collector.query.scalars import required_text, truth, utf16
from logintel_collector.query.tree import (
    AddressIn,
    Between,
    DateIn,
    Flag,
    Fuzzy,
    Like,
    Node,
    Nothing,
    NumberIn,
    OneOf,
    Phrase,
    Regexp,
    any_of,
)


@dataclass(frozen=True, slots=True)
class Leaves:
    """Makes leaves against one mapping; `now` is the clock of date math."""

    mapping: Mapping
    now: Callable[[], datetime]

    def field(self, name: str) -> Field | None:
        """The field of that name; None: never indexed. Elasticsearch's own fields are no part of a document."""
        if name.startswith("_") and name != ID:
            raise ValueError(f"field {name} is not supported: it is no part of the document")
        return self.mapping.field(name)

    def fields(self, pattern: str) -> list[Field]:
        """The fields that a name with `*` in it stands for; of a name without, the field or none."""
        if "*" not in pattern:
            known = self.field(pattern)
            return [] if known is None else [known]
        return self.mapping.matching(pattern)

    def analyzed(self, field: Field) -> Field | None:
        """The field as text: itself, or what a dynamic one becomes; None where it is not analysed."""
        view = self.mapping.views(field)[0] if field.kind == "dynamic" else field
        return view if view.kind == "text" else None

    def term(self, field: Field, value: Json, *, fold: bool = False) -> Node:
        """The field has exactly this value; a text field this term."""
        return self.terms(field, (value,), fold=fold)

    def terms(self, field: Field, values: Iterable[Json], *, fold: bool = False) -> Node:
        """The field has one of the values."""
        values = list(values)
        if field.kind in ("keyword", "text"):
            return _one_of(field, [required_text(value) for value in values], fold=fold)
        if field.kind == "dynamic":
            return any_of(self._views(field, lambda view: self.terms(view, values, fold=fold)))
        if field.kind == "object":
            return Nothing()
        if fold:
            raise ValueError(f"field {field.path} of type {field.type_name} does not support case_insensitive")
        return any_of(self._exactly(field, value) for value in values)

    def words(self, field: Field, text: str, fuzzy: Fuzziness | None = None) -> list[Node]:
        """One node a term of the analysed text; of a field that is not text, its whole value."""
        view = self.analyzed(field)
        if view is None:
            return [self.fuzzy(field, text, fuzzy) if fuzzy else self.term(field, text)]
        terms = [term for term in view.analyzer.terms(text) if term is not None]
        if fuzzy:
            return [self.fuzzy(view, term, fuzzy) for term in terms]
        return self._or_value(field, text, [OneOf(view, frozenset((term,))) for term in terms])

    def phrase(self, field: Field, text: str, slop: int = 0, *, prefix: bool = False) -> Node | None:
        """The terms of the text in a row, the last one perhaps only begun; None where no term is left."""
        view = self.analyzed(field)
        if view is None:
            if prefix and field.kind in ("keyword", "dynamic"):
                raise ValueError(
                    f"field {field.path} of type {field.type_name} does not support a phrase prefix: text does"
                )
            return self.term(field, text)
        placed = [(term, place) for place, term in enumerate(view.analyzer.terms(text)) if term is not None]
        if len(placed) < 2:
            terms = [term for term, _ in placed]
            if not terms:
                return None
            return (
                self.prefix(view, terms[0])
                if prefix
                else self._or_value(field, text, [OneOf(view, frozenset(terms))])[0]
            )
        first = placed[0][1]
        return Phrase(view, tuple((term, place - first) for term, place in placed), slop, prefix)

    def begun(self, field: Field, text: str, fuzzy: Fuzziness | None = None) -> list[Node]:
        """As `words`, but the last term may only be begun."""
        view = self.analyzed(field)
        if view is None:
            string = field.kind in ("keyword", "dynamic")
            return [self.prefix(field, text)] if string else [self.term(field, text)]
        terms = [term for term in view.analyzer.terms(text) if term is not None]
        if not terms:
            return []
        whole = [self.fuzzy(view, term, fuzzy) if fuzzy else OneOf(view, frozenset((term,))) for term in terms[:-1]]
        return [*whole, self.prefix(view, terms[-1])]

    def fuzzy(self, field: Field, text: str, fuzzy: Fuzziness) -> Node:
        """The value (of a text field: a term) is nearly this text."""
        if field.kind == "dynamic":
            return self.fuzzy(self.mapping.views(field)[0], text, fuzzy)
        self._is_string(field, "fuzzy")
        if field.lowercase:
            text = lower(text)
        return Fuzzy(field, text, fuzzy.of(text), fuzzy.prefix, fuzzy.swaps)

    def regexp(self, field: Field, expression: str, flags: frozenset[str], *, fold: bool = False) -> Node:
        """The value (of a text field: a term) is what the expression takes."""
        if field.kind == "dynamic":
            return self.regexp(self.mapping.views(field)[0], expression, flags, fold=fold)
        self._is_string(field, "regexp")
        if field.lowercase:
            expression = lower(expression)
        return Regexp(field, expression, flags, fold, matcher(expression, flags, fold=fold))

    def like(self, field: Field, pattern: str, *, fold: bool = False) -> Node:
        """The value (of a text field: a term) fits a pattern with `*` and `?`; an empty one nothing does."""
        if not pattern and field.kind in ("keyword", "text", "dynamic"):
            return Nothing()
        return self._pattern(field, glob_parts(pattern), "wildcard", fold=fold)

    def prefix(self, field: Field, text: str, *, fold: bool = False) -> Node:
        """The value (of a text field: a term) begins with the text."""
        return self._pattern(field, (tuple(text), ()), "prefix", fold=fold)

    def range(self, field: Field, limits: Limits) -> Node:
        """The value lies between the limits."""
        if field.path == ID:
            raise ValueError(f"field {ID} does not support range")
        if field.kind in ("keyword", "text"):
            low, high = (None if x is None else required_text(x) for x in (limits.low, limits.high))
            if field.lowercase:
                low, high = (x and lower(x) for x in (low, high))
            return Between(field, low, high, limits.low_open, limits.high_open)
        if field.kind == "dynamic":
            return any_of(self._views(field, lambda view: self.range(view, limits)))
        if field.kind == "date":
            return DateIn(field, *instants(limits, self.now))
        if field.kind == "object":
            return Nothing()
        if field.kind == "ip":
            texts = (None if x is None else required_text(x) for x in (limits.low, limits.high))
            return _addresses(field, addresses.between(*texts, low_open=limits.low_open, high_open=limits.high_open))
        if field.kind not in ("whole", "float"):
            raise ValueError(f"field {field.path} of type {field.type_name} does not support range")
        low_number, high_number = numbers(field, limits)
        if low_number is not None and high_number is not None and low_number > high_number:
            return Nothing()
        return NumberIn(field, low_number, high_number)

    def _pattern(self, field: Field, parts: tuple[tuple[str | None, ...], ...], name: str, *, fold: bool) -> Node:
        if field.kind == "dynamic":
            return self._pattern(self.mapping.views(field)[0], parts, name, fold=fold)
        if field.kind == "object":
            return Nothing()
        self._is_string(field, name)
        if fold or field.lowercase:
            small = folded if fold else lower
            parts = tuple(tuple(char and small(char) for char in part) for part in parts)
        return Like(field, parts, fold)

    def _is_string(self, field: Field, name: str) -> None:
        if field.kind not in ("keyword", "text") or field.path == ID:
            raise ValueError(
                f"field {field.path} of type {field.type_name} does not support {name}: only keyword and text do"
            )

    def _exactly(self, field: Field, value: Json) -> Node:
        """A value of a field that is neither keyword nor text."""
        if field.kind == "boolean":
            return Flag(field, truth(value))
        if field.kind == "date":
            return DateIn(field, *instants(Limits(value, value), self.now))
        if field.kind == "whole":
            exact = numerals.decimal(value)
            number = numerals.whole(str(exact), field.bits)
            return Nothing() if number is None or number != exact else NumberIn(field, number, number)
        if field.kind == "float":
            real = numerals.as_float(numerals.decimal(value), field.bits)
            return Nothing() if real is None else NumberIn(field, real, real)
        if field.kind == "ip":
            return _addresses(field, addresses.network(required_text(value)))
        raise ValueError(f"field {field.path} of type {field.type_name} can only be asked whether it exists")

    def _or_value(self, field: Field, text: str, words: list[Node]) -> list[Node]:
        """The words; of a field whose type nobody knows yet, a single one may also be a number or a boolean."""
        if field.kind != "dynamic" or len(words) != 1:
            return words
        _, *others = self._views(field, lambda view: self.terms(view, (text,)))
        return [any_of([*words, *others])]

    def _views(self, field: Field, make: Callable[[Field], Node]) -> Iterable[Node]:
        """The node for each type a field may get that can hold such a value."""
        string, *others = self.mapping.views(field)
        yield make(string)
        for view in others:
            try:
                yield make(view)
            except ValueError:  # a value that this type refuses cannot be one of its values
                continue


def _one_of(field: Field, values: list[str], *, fold: bool) -> Node:
    if field.lowercase:
        values = [lower(value) for value in values]
    if field.ignore_above is not None:
        values = [value for value in values if utf16(value) <= field.ignore_above]
    if fold:
        values = [folded(value) for value in values]
    return OneOf(field, frozenset(values), fold) if values else Nothing()


def _addresses(field: Field, span: tuple[int, int]) -> Node:
    return AddressIn(field, *span) if span[0] <= span[1] else Nothing()
