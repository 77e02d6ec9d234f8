"""Narrowing: what every document that satisfies a tree must have, so that a store reads only candidates.

Always an over-approximation: a matching document satisfies it, the predicate decides about the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Final

from logintel_collector.query.analysis import lower
from logintel_collector.query.dates import Moment
from logintel_collector.query.mapping import ID
from logintel_collector.query.tokenizer import MAX_LENGTH, tokenize
from logintel_collector.query.tree import AllOf, AnyOf, DateIn, Like, Node, OneOf, Phrase

#: Fields of which a store keeps the exact value.
EXACT: Final = frozenset({"level", "source_id", "category", "metadata.source", "log_id"})
#: Fields whose words a store indexes.
TEXTS: Final = frozenset({("message",), ("raw_log",)})

_RUN: Final = re.compile("[a-z0-9]+")
#: Where a word may be longer than the tokenizer's limit (in UTF-16 units, so perhaps two a character).
_LONG: Final = re.compile(rf"\S{{{MAX_LENGTH // 2},}}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Required:
    """All of it holds for every matching document; what is empty or None says nothing.

    terms   each is one of `index_terms(message)` or of `index_terms(raw_log)`
    equals  field → the values of which it has one
    after   timestamp >= it (27 characters, UTC)
    before  timestamp <= it
    """

    terms: tuple[str, ...] = ()
    equals: Mapping[str, frozenset[str]] = field(default_factory=dict)
    after: str | None = None
    before: str | None = None


def index_terms(text: str) -> set[str]:
    """What a store indexes of a text: its runs of a-z and 0-9 once lower-cased (one code point at a time).

    A run that the tokenizer cuts at its limit is there in its pieces too.
    """
    runs = set(_RUN.findall(lower(text)))
    if _LONG.search(text):
        for word in tokenize(text):
            runs.update(_RUN.findall(lower(word)))
    return runs


def required(tree: Node) -> Required:
    """What the tree requires. Bounds that follow the clock count as they are now; upper ones then say nothing."""
    if isinstance(tree, AllOf):
        return reduce(_both, map(required, tree.nodes), Required())
    if isinstance(tree, AnyOf):
        return reduce(_either, map(required, tree.nodes))
    if isinstance(tree, OneOf):
        return _one_of(tree)
    if isinstance(tree, Phrase):
        whole = tree.terms[:-1] if tree.prefix else tree.terms
        return Required(_runs(term for term, _ in whole)) if _verbatim(tree) else Required()
    if isinstance(tree, Like):
        return Required(_inner_runs(tree)) if _verbatim(tree) else Required()
    if isinstance(tree, DateIn) and tree.field.path == "timestamp":
        return _between(tree)
    return Required()


def _verbatim(leaf: OneOf | Phrase | Like) -> bool:
    """Whether the leaf's characters stand in a text that the store indexes, lower-cased."""
    known = leaf.field
    if known.source not in TEXTS:
        return False
    return known.kind == "keyword" or known.analyzer.verbatim


def _runs(texts: Iterable[str]) -> tuple[str, ...]:
    """Runs of texts that each stand in the document as a whole; only of plain ASCII, whose ends are certain."""
    return tuple(sorted({run for text in texts if text.isascii() for run in _RUN.findall(text.lower())}))


def _inner_runs(leaf: Like) -> tuple[str, ...]:
    """Runs of a pattern that end inside it: an end at a `*` or `?` may go on."""
    found: set[str] = set()
    last = len(leaf.parts) - 1
    for place, part in enumerate(leaf.parts):
        literal = "".join("\0" if char is None else char for char in part)
        if not literal.isascii():
            continue
        for match in _RUN.finditer(literal.lower()):
            starts = match.start() > 0 or place == 0
            ends = match.end() < len(literal) or place == last
            touches = "\0" in (literal[max(match.start() - 1, 0) : match.end() + 1])
            if starts and ends and not touches:
                found.add(match[0])
    return tuple(sorted(found))


def _one_of(leaf: OneOf) -> Required:
    name = ".".join(leaf.field.source) if leaf.field.path == ID else leaf.field.path
    if name in EXACT and not leaf.fold and not leaf.field.lowercase:
        return Required(equals={name: leaf.values})
    if not _verbatim(leaf):
        return Required()
    common = set.intersection(*(set(_runs((value,))) for value in leaf.values))
    return Required(tuple(sorted(common)))


def _between(leaf: DateIn) -> Required:
    low = leaf.low() if isinstance(leaf.low, Moment) else leaf.low
    high = None if isinstance(leaf.high, Moment) else leaf.high
    return Required(after=_stamp(low, "000"), before=_stamp(high, "999"))


def _stamp(millis: int | None, micros: str) -> str | None:
    """27 characters; None beyond the years that have four digits."""
    if millis is None:
        return None
    try:
        when = _EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        return None
    return f"{when.replace(tzinfo=None).isoformat(timespec='milliseconds')}{micros}Z"


def _both(one: Required, other: Required) -> Required:
    equals = dict(one.equals)
    for name, values in other.equals.items():
        equals[name] = equals[name] & values if name in equals else values
    return Required(
        tuple(sorted({*one.terms, *other.terms})),
        equals,
        max(filter(None, (one.after, other.after)), default=None),
        min(filter(None, (one.before, other.before)), default=None),
    )


def _either(one: Required, other: Required) -> Required:
    return Required(
        tuple(sorted({*one.terms} & {*other.terms})),
        {name: values | other.equals[name] for name, values in one.equals.items() if name in other.equals},
        None if one.after is None or other.after is None else min(one.after, other.after),
        None if one.before is None or other.before is None else max(one.before, other.before),
    )
