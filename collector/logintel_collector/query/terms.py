"""Terms of a query string: what one word, phrase, pattern or range asks of its field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal, TypeAlias

from logintel_collector.query.boolean import combine
from logintel_collector.query.leaves import Leaves, Limits
from logintel_collector.query.mapping import Field
from logintel_collector.query.tree import Everything, Exists, Node, Nothing

Occur: TypeAlias = Literal["must", "should", "must_not"]


@dataclass(frozen=True, slots=True)
class TextOptions:
    """Parameters of `query_string`; `required`: default_operator AND."""

    default_field: str
    required: bool = False
    analyze_wildcard: bool = False
    minimum: int | str | None = None
    zone: tzinfo | None = None

    @property
    def occur(self) -> Occur:
        """How a clause counts that no operator stands beside."""
        return "must" if self.required else "should"


@dataclass(slots=True)
class Group:
    """Clauses of one level: what a pair of brackets holds, or a text that became several terms."""

    clauses: list[tuple[Occur, Part]]


Part: TypeAlias = Node | Group


def node_of(part: Part | None, minimum: int | str | None = None) -> Node:
    """The tree of a part; nothing where the analyzer left no term."""
    if part is None:
        return Nothing()
    if not isinstance(part, Group):
        return part
    sides: dict[Occur, list[Node]] = {"must": [], "should": [], "must_not": []}
    for occur, inner in part.clauses:
        sides[occur].append(node_of(inner))
    if minimum is not None and not sides["must"] and not sides["should"]:
        sides["must"].append(Everything())  # Elasticsearch completes the pure negation before it counts
    return combine(sides["must"], sides["should"], sides["must_not"], minimum)


@dataclass(frozen=True, slots=True)
class Terms:
    """Makes the parts; None is what the analyzer left nothing of. Raises ValueError.

    `field` None is the default field.
    """

    leaves: Leaves
    options: TextOptions

    def text(self, field: str | None, text: str) -> Part | None:
        """Bare words: analysed, or a range where they begin with > or <."""
        if field == "_exists_":
            return self.exists(text)
        if len(text) > 1 and text[0] in "<>":
            inclusive = text[1] == "=" and len(text) > 2
            edge = text[2:] if inclusive else text[1:]
            if text[0] == ">":
                return self.between(field, edge, None, low_open=not inclusive)
            return self.between(field, None, edge, high_open=not inclusive)
        known = self._field(field)
        if known is None:
            return Nothing()
        if known.kind == "date" and self.options.zone:
            return self.between(field, text, text)
        words = self.leaves.words(known, text)
        if len(words) < 2:
            return words[0] if words else None
        return Group([(self.options.occur, word) for word in words])

    def phrase(self, field: str | None, text: str) -> Part | None:
        """What stood in quotes."""
        if field == "_exists_":
            return self.exists(text)
        known = self._field(field)
        return Nothing() if known is None else self.leaves.phrase(known, text)

    def wildcard(self, field: str | None, pattern: str) -> Part | None:
        """A pattern with `*` or `?` in it; `*` alone asks whether the field exists."""
        if pattern == "*":
            return Everything() if field == "*" else self.exists(field or self.options.default_field)
        known = self._field(field)
        return Nothing() if known is None else self.leaves.like(known, self._normal(known, pattern))

    def prefix(self, field: str | None, text: str) -> Part | None:
        """What stood before a `*` at the end."""
        known = self._field(field)
        if known is None:
            return Nothing()
        analyzed = self.leaves.analyzed(known)
        if analyzed is None or not self.options.analyze_wildcard:
            return self.leaves.prefix(known, self._normal(known, text))
        terms = [term for term in analyzed.analyzer.terms(text) if term is not None]
        if not terms:
            return None
        last = self.leaves.prefix(analyzed, terms[-1])
        if len(terms) == 1:
            return last
        occur = self.options.occur
        return Group([*((occur, self.leaves.term(analyzed, term)) for term in terms[:-1]), (occur, last)])

    def between(
        self, field: str | None, low: str | None, high: str | None, *, low_open: bool = False, high_open: bool = False
    ) -> Node:
        """A range; None is an open end."""
        known = self._field(field)
        if known is None:
            return Nothing()
        low, high = (text if text is None else self._normal(known, text) for text in (low, high))
        low_open, high_open = low_open and low is not None, high_open and high is not None
        return self.leaves.range(known, Limits(low, high, low_open, high_open, self.options.zone or UTC))

    def exists(self, name: str) -> Node:
        """The field has a value."""
        known = self._field(name)
        return Nothing() if known is None else Exists(known)

    def _field(self, name: str | None) -> Field | None:
        name = self.options.default_field if name is None else name
        if "*" in name or "?" in name:
            raise ValueError(f"field pattern {name!r} is not supported")
        return self.leaves.field(name)

    def _normal(self, field: Field, text: str) -> str:
        """A pattern or bound as the analyzer's character filters leave it."""
        analyzed = self.leaves.analyzed(field)
        return analyzed.analyzer.normalize(text) if analyzed else text
