"""Predicates: a tree as one function from document to truth, doing as little as possible per document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from logintel.event import Json
from logintel_collector.query import numerals
from logintel_collector.query.analysis import fold, lower
from logintel_collector.query.dates import Moment, stamped
from logintel_collector.query.glob import glob_test
from logintel_collector.query.leaves import utf16
from logintel_collector.query.mapping import Field, Mapping
from logintel_collector.query.reading import Source, flat, text_of, values_of
from logintel_collector.query.tree import (
    AllOf,
    AnyOf,
    Between,
    DateIn,
    Everything,
    Exists,
    Flag,
    Leaf,
    Like,
    Node,
    Not,
    Nothing,
    NumberIn,
    OneOf,
    Phrase,
)

Predicate: TypeAlias = Callable[[Source], bool]
Test: TypeAlias = Callable[[Json], bool]


def predicate_of(tree: Node, mapping: Mapping) -> Predicate:
    """The function that says whether a document (its `_source`) satisfies the tree."""
    if isinstance(tree, Everything | Nothing):
        verdict = isinstance(tree, Everything)
        return lambda _source: verdict
    if isinstance(tree, AllOf):
        return _all([predicate_of(node, mapping) for node in cheapest_first(tree.nodes)])
    if isinstance(tree, AnyOf):
        return _any([predicate_of(node, mapping) for node in cheapest_first(tree.nodes)], tree.needed)
    if isinstance(tree, Not):
        inner = predicate_of(tree.node, mapping)
        return lambda source: not inner(source)
    if isinstance(tree, Exists) and tree.field.kind in ("object", "dynamic"):
        return _exists_inside(tree.field, mapping)
    if tree.field.kind == "text" and not isinstance(tree, Exists):
        return _on_terms(tree, mapping)
    return _on_values(tree.field, _value_test(tree))


def cheapest_first(nodes: tuple[Node, ...]) -> list[Node]:
    """The nodes by what they cost a document; the order changes no result."""
    return sorted(nodes, key=_cost)


def _cost(node: Node) -> int:
    if isinstance(node, AllOf | AnyOf):
        return 1 + sum(map(_cost, node.nodes))
    if isinstance(node, Not):
        return _cost(node.node)
    if isinstance(node, Everything | Nothing):
        return 0
    if node.field.kind == "text":
        return 20
    return 1 if isinstance(node, OneOf) and not node.fold else 3


def _all(tests: list[Predicate]) -> Predicate:
    if len(tests) == 2:
        one, two = tests
        return lambda source: one(source) and two(source)

    def predicate(source: Source) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs more than the tests
            if not test(source):
                return False
        return True

    return predicate


def _any(tests: list[Predicate], needed: int) -> Predicate:
    def first(source: Source) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs more than the tests
            if test(source):
                return True
        return False

    def enough(source: Source) -> bool:
        found = 0
        for test in tests:
            if test(source):
                found += 1
                if found == needed:
                    return True
        return False

    return first if needed == 1 else enough


def _on_values(field: Field, test: Test) -> Predicate:
    read = values_of(field.source)

    def predicate(source: Source) -> bool:
        value = read(source)
        if value is None:
            return False
        if value.__class__ is list:
            return any(test(item) for item in flat(value))
        return test(value)

    return predicate


def _value_test(leaf: Leaf) -> Test:
    """Whether one value of a field that is not analysed satisfies the leaf."""
    if isinstance(leaf, NumberIn):
        return _number_test(leaf)
    if isinstance(leaf, DateIn):
        return _date_test(leaf)
    if isinstance(leaf, Flag):
        given, boolean = leaf.value, leaf.field
        return lambda value: _flag(value, strict=boolean.strict) is given
    if isinstance(leaf, Exists):
        return indexed(leaf.field)
    return _keyword_test(leaf.field, _text_test(leaf))


def _text_test(leaf: Leaf) -> Callable[[str], bool]:
    """Whether one text (a keyword value or a term) satisfies the leaf."""
    if isinstance(leaf, OneOf):
        values = leaf.values
        return (lambda text: fold(text) in values) if leaf.fold else values.__contains__
    if isinstance(leaf, Like):
        fits = glob_test(leaf.parts)
        return (lambda text: fits(fold(text))) if leaf.fold else fits
    assert isinstance(leaf, Between)
    low, high, low_open, high_open = leaf.low, leaf.high, leaf.low_open, leaf.high_open

    def between(text: str) -> bool:
        if low is not None and (text < low or (low_open and text == low)):
            return False
        return not (high is not None and (text > high or (high_open and text == high)))

    return between


def _keyword_test(field: Field, fits: Callable[[str], bool]) -> Test:
    limit, strict, lowercase = field.ignore_above, field.strict, field.lowercase

    def test(value: Json) -> bool:
        if value.__class__ is str:
            text: str = value
        else:
            found = None if strict else text_of(value)
            if found is None:
                return False
            text = found
        if limit is not None and len(text) * 2 > limit and utf16(text) > limit:
            return False
        return fits(lower(text) if lowercase else text)

    return test


def _number_test(leaf: NumberIn) -> Test:
    low, high, bits, strict = leaf.low, leaf.high, leaf.field.bits, leaf.field.strict
    read = numerals.whole if leaf.field.kind == "whole" else numerals.real

    def test(value: Json) -> bool:
        number = read(value, bits, strict=strict)
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    return test


def _date_test(leaf: DateIn) -> Test:
    low, high = leaf.low, leaf.high

    def test(value: Json) -> bool:
        when = _instant(value)
        if when is None:
            return False
        if low is not None and when < (low() if isinstance(low, Moment) else low):
            return False
        return high is None or when <= (high() if isinstance(high, Moment) else high)

    return test


def _instant(value: Json) -> int | None:
    """A document's date in milliseconds; None when it is none."""
    text = None if isinstance(value, bool) else text_of(value)
    try:
        return None if text is None else stamped(text)
    except ValueError:
        return None


def _flag(value: Json, *, strict: bool) -> bool | None:
    """A document's boolean; the empty string is false."""
    if isinstance(value, bool):
        return value
    if strict or not isinstance(value, str):
        return None
    return {"true": True, "false": False, "": False}.get(value)


def _on_terms(leaf: Leaf, mapping: Mapping) -> Predicate:
    """A leaf of a text field."""
    reader = mapping.reader(leaf.field)
    if isinstance(leaf, Phrase):
        return _phrase(leaf, mapping)
    if isinstance(leaf, OneOf) and not leaf.fold:
        if len(leaf.values) > 1:
            wanted = leaf.values
            return lambda source: not wanted.isdisjoint(reader.vocabulary(source))
        (term,) = leaf.values
        return lambda source: reader.may_have(source, term) and term in reader.vocabulary(source)
    fits = _text_test(leaf)

    def predicate(source: Source) -> bool:
        return any(fits(term) for term in reader.vocabulary(source) if term is not None)

    return predicate


def _phrase(leaf: Phrase, mapping: Mapping) -> Predicate:
    reader = mapping.reader(leaf.field)
    (first, _), *rest = leaf.terms
    wanted = frozenset(term for term, _ in leaf.terms)

    def predicate(source: Source) -> bool:
        for term in wanted:
            if not reader.may_have(source, term):
                return False
        if not wanted <= reader.vocabulary(source):
            return False
        terms = reader.terms(source)
        return any(
            term == first and all(terms[place + far : place + far + 1] == [next_] for next_, far in rest)
            for place, term in enumerate(terms)
        )

    return predicate


def indexed(field: Field) -> Test:
    """Whether a value of the field is in the index at all."""
    if field.kind == "keyword":
        return _keyword_test(field, lambda _text: True)
    if field.kind == "whole":
        return lambda value: numerals.whole(value, field.bits, strict=field.strict) is not None
    if field.kind == "float":
        return lambda value: numerals.real(value, field.bits, strict=field.strict) is not None
    if field.kind == "boolean":
        return lambda value: _flag(value, strict=field.strict) is not None
    if field.kind == "date":
        return lambda value: _instant(value) is not None
    if field.kind == "text":
        return lambda value: isinstance(value, str) or (not field.strict and text_of(value) is not None)
    return lambda value: value is not None


def _indexed_as(field: Field, mapping: Mapping) -> Test:
    """`indexed`, for every kind of field."""
    if field.kind == "object":
        return lambda _value: False
    tests = [indexed(view) for view in (mapping.views(field) if field.kind == "dynamic" else (field,))]
    return lambda value: value is not None and any(test(value) for test in tests)


def _exists_inside(field: Field, mapping: Mapping) -> Predicate:
    read = values_of(field.source)

    def inside(path: str, value: Json) -> bool:
        if isinstance(value, dict):
            return any(inside(f"{path}.{key}", item) for key, item in value.items())
        if isinstance(value, list):
            return any(inside(path, item) for item in value)
        known = mapping.field(path)
        return known is not None and _indexed_as(known, mapping)(value)

    here = _indexed_as(field, mapping)

    def predicate(source: Source) -> bool:
        value = read(source)
        return inside(field.path, value) if isinstance(value, dict | list) else here(value)

    return predicate
