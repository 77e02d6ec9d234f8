"""The predicate tree that every query becomes: plain data, for evaluation, narrowing, witnesses and explanations.

Inner nodes are AllOf, AnyOf, Not, Everything, Nothing; leaves name a field and what its values (of a text field: its
terms) must be. A leaf is true when any one of the field's values is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import chain
from typing import TypeAlias

from logintel_collector.query.automaton import Matcher
from logintel_collector.query.dates import Moment
from logintel_collector.query.mapping import Field


@dataclasses.dataclass(frozen=True, slots=True)
class Everything:
    """Always true."""


@dataclasses.dataclass(frozen=True, slots=True)
class Nothing:
    """Never true."""


@dataclasses.dataclass(frozen=True, slots=True)
class AllOf:
    """True when each is."""

    nodes: tuple[Node, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class AnyOf:
    """True when `needed` or more are; a node that stands there twice counts twice."""

    nodes: tuple[Node, ...]
    needed: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """True when the node is not."""

    node: Node


@dataclasses.dataclass(frozen=True, slots=True)
class OneOf:
    """Keyword value or text term that is one of `values`; `fold`: these are lower-cased, compare ASCII letters so."""

    field: Field
    values: frozenset[str]
    fold: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Like:
    """Keyword value or text term that fits a pattern: `parts` are its literals between `*`, None in a part is one `?`.

    ("a",) is exactly a; ("a", "") begins with a; ("", "a", "") contains it.
    """

    field: Field
    parts: tuple[tuple[str | None, ...], ...]
    fold: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """Keyword value or text term between two texts, by code point; None: no bound."""

    field: Field
    low: str | None = None
    high: str | None = None
    low_open: bool = False
    high_open: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class NumberIn:
    """Number from `low` to `high`, both included; None: no bound."""

    field: Field
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class DateIn:
    """Date from `low` to `high`, both included, in milliseconds; None: no bound."""

    field: Field
    low: int | Moment | None
    high: int | Moment | None


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """Boolean."""

    field: Field
    value: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Regexp:
    """Keyword value or text term that an expression takes as a whole; `fold`: in any case."""

    field: Field
    expression: str
    flags: frozenset[str]
    fold: bool
    matcher: Matcher = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Fuzzy:
    """Keyword value or text term at most `edits` away from `text`, behind `prefix` characters that are the same.

    An edit adds, leaves out or replaces a character or, with `swaps`, exchanges two neighbours.
    """

    field: Field
    text: str
    edits: int
    prefix: int
    swaps: bool


@dataclasses.dataclass(frozen=True, slots=True)
class AddressIn:
    """IP address from `low` to `high`, both included, as 128-bit numbers (an IPv4 address as ::ffff:a.b.c.d)."""

    field: Field
    low: int
    high: int


@dataclasses.dataclass(frozen=True, slots=True)
class Near:
    """Point at most `metres` from here, on a sphere; degrees."""

    field: Field
    latitude: float
    longitude: float
    metres: float


@dataclasses.dataclass(frozen=True, slots=True)
class Within:
    """Point in a box, its edges included; `left` above `right`: across the date line. Degrees."""

    field: Field
    top: float
    left: float
    bottom: float
    right: float


@dataclasses.dataclass(frozen=True, slots=True)
class Phrase:
    """Terms of a text field at these distances from the first one.

    slop    how far the terms may be out of these places, all in all
    prefix  the last one is only how a term begins
    """

    field: Field
    terms: tuple[tuple[str, int], ...]
    slop: int = 0
    prefix: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Exists:
    """The field (or anything inside it, where it is an object) has an indexed value."""

    field: Field


Leaf: TypeAlias = (
    OneOf | Like | Between | Regexp | Fuzzy | NumberIn | DateIn | Flag | AddressIn | Near | Within | Phrase | Exists
)
Node: TypeAlias = Everything | Nothing | AllOf | AnyOf | Not | Leaf


def all_of(nodes: Iterable[Node]) -> Node:
    """AllOf, made simple: nested ones opened, Everything left out."""
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, AllOf):
            kept.extend(node.nodes)
        elif not isinstance(node, Everything):
            kept.append(node)
    if any(isinstance(node, Nothing) for node in kept):
        return Nothing()
    if len(kept) == 1:
        return kept[0]
    return AllOf(tuple(kept)) if kept else Everything()


def any_of(nodes: Iterable[Node], needed: int = 1) -> Node:
    """AnyOf, made simple: what is always or never true is counted out."""
    given = list(nodes)
    needed -= sum(isinstance(node, Everything) for node in given)
    kept = [node for node in given if not isinstance(node, Everything | Nothing)]
    if needed <= 0:
        return Everything()
    if needed > len(kept):
        return Nothing()
    if needed == len(kept):
        return all_of(kept)
    if needed > 1:
        return AnyOf(tuple(kept), needed)
    opened = [node.nodes if isinstance(node, AnyOf) and node.needed == 1 else (node,) for node in kept]
    return AnyOf(tuple(chain.from_iterable(opened)))


def negate(node: Node) -> Node:
    """Not, made simple."""
    if isinstance(node, Everything):
        return Nothing()
    if isinstance(node, Nothing):
        return Everything()
    return node.node if isinstance(node, Not) else Not(node)
