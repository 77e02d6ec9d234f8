"""Candidates: which of many rules can match a document at all, by something that each of them requires.

A rule's witness is what every document that it matches must have: a value of a field, a text somewhere, a field. The
cheapest one of each rule goes into an index; the rule's own query then decides about the few that are found. A rule
that requires nothing of the kind is always a candidate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from logintel.event import Json
from logintel_collector.query.analysis import lower
from logintel_collector.query.mapping import Field
from logintel_collector.query.reading import Source, text_of
from logintel_collector.query.tree import AllOf, AnyOf, Leaf, Like, Node, Nothing, OneOf, Phrase

#: Characters of the piece by which a text is looked up.
GRAM: Final = 4
_ASCII: Final = re.compile(r"[\x00-\x7f]+")
#: Between two values of a document; in no query.
_BETWEEN: Final = "\0\uffff\0"


@dataclass(frozen=True, slots=True)
class Value:
    """The field has this value, in any case."""

    path: str
    value: str

    @property
    def weight(self) -> int:
        """How seldom it is expected: the longer, the rarer."""
        return len(self.value)


@dataclass(frozen=True, slots=True)
class Text:
    """The lower-cased text stands in one of the document's values."""

    text: str

    @property
    def weight(self) -> int:
        """See Value."""
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Presence:
    """The field, or anything inside it, is there."""

    path: str

    @property
    def weight(self) -> int:
        """See Value."""
        return 1


Witness: TypeAlias = Value | Text | Presence


def witnesses(tree: Node) -> frozenset[Witness] | None:
    """Of which each matching document has one or more; None: nothing is known. Empty: nothing matches."""
    if isinstance(tree, Nothing):
        return frozenset()
    if isinstance(tree, AllOf):
        found = [each for node in tree.nodes if (each := witnesses(node)) is not None]
        return max(found, key=_worth) if found else None
    if isinstance(tree, AnyOf):
        sets = [witnesses(node) for node in tree.nodes]
        known = [each for each in sets if each is not None]
        return frozenset().union(*known) if len(known) == len(sets) else None
    if isinstance(tree, OneOf):
        return _one_of(tree)
    if isinstance(tree, Phrase):
        return _of_texts(tree.field, [term for term, _ in tree.terms])
    if isinstance(tree, Like):
        return _of_texts(tree.field, ["".join(char or "\n" for char in part) for part in tree.parts])
    if isinstance(tree, Leaf):
        return frozenset({Presence(".".join(tree.field.source))})
    return None


def _worth(found: frozenset[Witness]) -> tuple[int, int]:
    """The rarest are the best, of these the fewest."""
    return min((witness.weight for witness in found), default=1000), -len(found)


def _one_of(leaf: OneOf) -> frozenset[Witness]:
    if leaf.field.kind == "keyword":
        path = ".".join(leaf.field.source)
        return frozenset(Value(path, lower(value)) for value in leaf.values)
    return frozenset().union(*(_of_texts(leaf.field, [value]) for value in leaf.values))


def _of_texts(known: Field, texts: Iterable[str]) -> frozenset[Witness]:
    """The longest run of ASCII that stands verbatim in the lower-cased document, else that the field is there."""
    if known.kind == "keyword" or known.analyzer.verbatim:
        runs = [run for text in texts for piece in text.split("\n") for run in _ASCII.findall(piece)]
        longest = max(runs, key=len, default="")
        if len(longest) >= GRAM:
            return frozenset({Text(longest.lower())})
    return frozenset({Presence(".".join(known.source))})


@dataclass(slots=True)
class Candidates:
    """An index over the witnesses of rules, which are known by their place in the list of their trees."""

    _always: list[int] = field(default_factory=list)
    _values: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    _presences: dict[str, list[int]] = field(default_factory=dict)
    _grams: dict[str, list[tuple[str, list[int]]]] = field(default_factory=dict)

    @classmethod
    def of(cls, trees: Sequence[Node]) -> Candidates:
        """Index the rules."""
        made = cls()
        texts: dict[str, list[int]] = {}
        for place, tree in enumerate(trees):
            found = witnesses(tree)
            if found is None:
                made._always.append(place)
                continue
            for witness in found:
                if isinstance(witness, Value):
                    made._values.setdefault(witness.path, {}).setdefault(witness.value, []).append(place)
                elif isinstance(witness, Presence):
                    made._presences.setdefault(witness.path, []).append(place)
                else:
                    texts.setdefault(witness.text, []).append(place)
        common = Counter(gram for text in texts for gram in set(_grams_of(text)))
        for text, places in texts.items():
            rarest = min(_grams_of(text), key=common.__getitem__)
            made._grams.setdefault(rarest, []).append((text, places))
        return made

    def matching(self, source: Source) -> Iterator[int]:
        """The places of the rules that may match the document; one may come more than once."""
        yield from self._always
        values, presences = self._values, self._presences
        texts: list[str] = []
        for path, value in _leaves(source):
            text = lower(value) if value.__class__ is str else text_of(value)
            if text is None:
                continue
            texts.append(text)
            if path in values:
                yield from values[path].get(text, ())
            above = path
            while above:
                yield from presences.get(above, ())
                above = above.rpartition(".")[0]
        whole = _BETWEEN.join(texts)
        grams = self._grams
        for gram in grams.keys() & set(_grams_of(whole)):
            for text, places in grams[gram]:
                if text in whole:
                    yield from places


def _grams_of(text: str) -> Iterator[str]:
    return map("".join, zip(text, text[1:], text[2:], text[3:], strict=False))


def _leaves(source: Source) -> Iterator[tuple[str, Json]]:
    """Every value with the path of its field; arrays opened."""
    waiting: list[tuple[str, Json]] = list(source.items())
    for path, value in waiting:
        if value.__class__ is dict:
            waiting.extend((f"{path}.{key}", inner) for key, inner in value.items())
        elif value.__class__ is list:
            waiting.extend((path, inner) for inner in value)
        else:
            yield path, value
