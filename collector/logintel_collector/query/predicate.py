"""Predicates: a tree as one function from document to truth, doing as little as possible per document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from logintel.event import Json
from logintel_collector.query.geo import Point, distance, points
from logintel_collector.query.mapping import Field, Mapping
from logintel_collector.query.nearness import close
from logintel_collector.query.reading import Source, TextReader, flat, values_of
from logintel_collector.query.tree import (
    AllOf,
    AnyOf,
    Everything,
    Exists,
    Leaf,
    Near,
    Node,
    Not,
    Nothing,
    OneOf,
    Phrase,
    Within,
)
from logintel_collector.query.values import Test, indexed, text_test, value_test

Predicate: TypeAlias = Callable[[Source], bool]


def predicate_of(tree: Node, mapping: Mapping) -> Predicate:
    """The function that says whether a document (its `_source`) satisfies the tree."""
    if isinstance(tree, Everything | Nothing):
        verdict = isinstance(tree, Everything)
        return lambda _source: verdict
    if isinstance(tree, AllOf):
        return _all([predicate_of(node, mapping) for node in cheapest_first(tree.nodes)])
    if isinstance(tree, AnyOf):
        if tree.needed == 1:
            return _first(_alternatives(cheapest_first(tree.nodes), mapping))
        return _enough([predicate_of(node, mapping) for node in cheapest_first(tree.nodes)], tree.needed)
    if isinstance(tree, Not):
        inner = predicate_of(tree.node, mapping)
        return lambda source: not inner(source)
    if _asks_inside(tree):
        return _exists_inside(tree.field, mapping)
    if _asks_terms(tree):
        return _on_terms(tree, mapping)
    if tree.field.kind == "geo":
        return _on_points(tree)
    return _on_values(tree.field, value_test(tree))


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
    if _asks_inside(node):
        return 30
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


def _first(tests: list[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]

    def predicate(source: Source) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs more than the tests
            if test(source):
                return True
        return False

    return predicate


def _enough(tests: list[Predicate], needed: int) -> Predicate:
    def predicate(source: Source) -> bool:
        found = 0
        for test in tests:
            if test(source):
                found += 1
                if found == needed:
                    return True
        return False

    return predicate


def _alternatives(nodes: list[Node], mapping: Mapping) -> list[Predicate]:
    """A predicate for each node; one for all that ask the values of the same field, and one for its phrases."""
    values: dict[tuple[str, ...], list[Leaf]] = {}
    phrases: dict[Field, list[Phrase]] = {}
    others: list[Node] = []
    for node in nodes:
        if isinstance(node, Phrase):
            phrases.setdefault(node.field, []).append(node)
        elif isinstance(node, Leaf) and not (_asks_inside(node) or _asks_terms(node) or node.field.kind == "geo"):
            values.setdefault(node.field.source, []).append(node)
        else:
            others.append(node)
    return [
        *(_on_values(leaves[0].field, _any_test([value_test(leaf) for leaf in leaves])) for leaves in values.values()),
        *(predicate_of(node, mapping) for node in others),
        *(_phrases(leaves, mapping) for leaves in phrases.values()),
    ]


def _any_test(tests: list[Test]) -> Test:
    if len(tests) == 2:
        one, two = tests
        return lambda value: one(value) or two(value)
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


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


def _on_terms(leaf: Leaf, mapping: Mapping) -> Predicate:
    """A leaf of a text field."""
    reader = mapping.reader(leaf.field)
    if isinstance(leaf, Phrase):
        return _phrases([leaf], mapping)
    if isinstance(leaf, OneOf) and not leaf.fold:
        if len(leaf.values) > 1:
            wanted = leaf.values
            return lambda source: not wanted.isdisjoint(reader.vocabulary(source))
        (term,) = leaf.values
        return _where_one_stands([term], lambda source: term in reader.vocabulary(source), reader)
    fits = text_test(leaf)

    def predicate(source: Source) -> bool:
        return any(fits(term) for term in reader.vocabulary(source) if term is not None)

    return predicate


def _phrases(leaves: list[Phrase], mapping: Mapping) -> Predicate:
    """Whether the text has one of them: looked for where the longest word of one of them stands."""
    reader = mapping.reader(leaves[0].field)
    witnesses = [max((term for term, _ in leaf.terms), key=len) for leaf in leaves]
    return _where_one_stands(witnesses, _first([_phrase(leaf, reader) for leaf in leaves]), reader)


def _phrase(leaf: Phrase, reader: TextReader) -> Predicate:
    if leaf.slop or leaf.prefix:
        return _loose_phrase(leaf, reader)
    (first, _), *rest = leaf.terms
    wanted = frozenset(term for term, _ in leaf.terms)

    def predicate(source: Source) -> bool:
        if not wanted <= reader.vocabulary(source):
            return False
        terms = reader.terms(source)
        return any(
            term == first and all(terms[place + far : place + far + 1] == [next_] for next_, far in rest)
            for place, term in enumerate(terms)
        )

    return predicate


def _loose_phrase(leaf: Phrase, reader: TextReader) -> Predicate:
    """A phrase whose terms may stand elsewhere, or whose last term may only be begun."""
    offsets = [offset for _, offset in leaf.terms]
    exact = [term for term, _ in leaf.terms]
    begun = exact.pop() if leaf.prefix else None
    wanted = frozenset(exact)

    def predicate(source: Source) -> bool:
        if not wanted <= reader.vocabulary(source):
            return False
        terms = list(enumerate(reader.terms(source)))
        places = [[place for place, term in terms if term == word] for word in exact]
        if begun is not None:
            places.append([place for place, term in terms if term is not None and term.startswith(begun)])
        return close(places, offsets, leaf.slop)

    return predicate


def _on_points(leaf: Leaf) -> Predicate:
    """A leaf of a geo_point."""
    read = values_of(leaf.field.source)
    if isinstance(leaf, Exists):
        return lambda source: any(True for _ in points(read(source)))
    if isinstance(leaf, Near):
        centre, metres = Point(leaf.latitude, leaf.longitude), leaf.metres
        return lambda source: any(distance(centre, found) <= metres for found in points(read(source)))
    assert isinstance(leaf, Within)
    top, left, bottom, right = leaf.top, leaf.left, leaf.bottom, leaf.right

    def inside(found: Point) -> bool:
        if not bottom <= found.latitude <= top:
            return False
        if left > right:
            return found.longitude >= left or found.longitude <= right
        return left <= found.longitude <= right

    return lambda source: any(map(inside, points(read(source))))


def _where_one_stands(witnesses: list[str], test: Predicate, reader: TextReader) -> Predicate:
    """`test`, which can only be true where the text has one of the terms: most texts need no analysis."""

    def predicate(source: Source) -> bool:
        text = reader.lowered(source)
        if text is None:
            return test(source)
        for witness in witnesses:
            if witness in text:
                return test(source)
        return False

    return predicate


def _asks_inside(node: Node) -> bool:
    """Whether the node has to look for anything inside an object: the dearest of all tests."""
    return isinstance(node, Exists) and node.field.kind in ("object", "dynamic")


def _asks_terms(leaf: Leaf) -> bool:
    return leaf.field.kind == "text" and not isinstance(leaf, Exists)


def _indexed_as(field: Field, mapping: Mapping) -> Test:
    """`indexed`, for every kind of field."""
    if field.kind == "object":
        return lambda _value: False
    tests = [indexed(view) for view in (mapping.views(field) if field.kind == "dynamic" else (field,))]
    return lambda value: value is not None and any(test(value) for test in tests)


def _exists_inside(field: Field, mapping: Mapping) -> Predicate:
    """Whether a field that may be an object has a value, or anything inside it has."""
    read, here = values_of(field.source), _indexed_as(field, mapping)
    target, within = field.path, field.path + "."
    ways = frozenset(target[:end] for end in range(1, len(within)) if within[end] == ".")

    def inside(path: str, value: Json) -> bool:
        if isinstance(value, list):
            return any(inside(path, item) for item in value)
        if not isinstance(value, dict):
            known = mapping.field(path) if path == target or path.startswith(within) else None
            return known is not None and _indexed_as(known, mapping)(value)
        return any(inside(below, item) for key, item in value.items() if leads(below := f"{path}.{key}"))

    def leads(path: str) -> bool:
        return path in ways or path.startswith(within)

    def predicate(source: Source) -> bool:
        value = read(source)
        if value is not None and not isinstance(value, dict | list):
            return here(value)
        return any(inside(key, item) for key, item in source.items() if key in ways or key.startswith(within))

    return predicate
