"""Predicates: a tree as one function from document to truth, doing as little as possible per document."""

from __future__ import annotations

from logintel.event import Json
from logintel_collector.query.mapping import Field, Mapping
from logintel_collector.query.points_predicate import on_points
from logintel_collector.query.reading import Predicate, Source, flat, values_of
from logintel_collector.query.text_predicate import on_terms, phrases
from logintel_collector.query.tree import (
    AllOf,
    AnyOf,
    Everything,
    Exists,
    Leaf,
    Node,
    Not,
    Nothing,
    OneOf,
    Phrase,
)
from logintel_collector.query.values import Test, indexed, value_test


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
        return on_terms(tree, mapping)
    if tree.field.kind == "geo":
        return on_points(tree)
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
    in_a_row: dict[Field, list[Phrase]] = {}
    others: list[Node] = []
    for node in nodes:
        if isinstance(node, Phrase):
            in_a_row.setdefault(node.field, []).append(node)
        elif isinstance(node, Leaf) and not (_asks_inside(node) or _asks_terms(node) or node.field.kind == "geo"):
            values.setdefault(node.field.source, []).append(node)
        else:
            others.append(node)
    return [
        *(_on_values(leaves[0].field, _any_test([value_test(leaf) for leaf in leaves])) for leaves in values.values()),
        *(predicate_of(node, mapping) for node in others),
        *(phrases(leaves, mapping) for leaves in in_a_row.values()),
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
