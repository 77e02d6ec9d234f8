"""Terms of a query string: what one word, phrase, pattern or range asks of its field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Literal, TypeAlias

from logintel_collector.query.boolean import combine
from logintel_collector.query.bounds import Limits
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.mapping import Field
from logintel_collector.query.nearness import AUTO, Fuzziness
from logintel_collector.query.regexp import flags_of
from logintel_collector.query.text_clauses import Kind, Wording, across
from logintel_collector.query.tree import Everything, Exists, Node, Nothing, any_of

Occur: TypeAlias = Literal["must", "should", "must_not"]


@dataclass(frozen=True, slots=True)
class TextOptions:
    """Parameters of `query_string` and `simple_query_string`.

    fields    what a word looks into that names no field; patterns allowed
    default   the one field among them that `*` alone asks for; `*`: all of them
    required  default_operator AND
    fuzzy     of `word~`
    slop      of a phrase that gives none itself
    lenient   a field that cannot have such a value has none; else it is an error
    """

    fields: tuple[str, ...]
    default: str | None = None
    required: bool = False
    analyze_wildcard: bool = False
    minimum: int | str | None = None
    zone: tzinfo | None = None
    kind: Kind = "best_fields"
    fuzzy: Fuzziness = AUTO
    slop: int = 0
    lenient: bool = False

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

    `field` None stands for the default fields.
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
        return self.words(field, text)

    def words(self, field: str | None, text: str) -> Part | None:
        """Words, whatever they begin with."""
        if self.options.kind == "cross_fields":
            fields = self._fields(field)
            return across(self.leaves, fields, text, Wording(self.options.required, lenient=self.options.lenient))
        return self._each(field, lambda known: self._words(known, text))

    def phrase(self, field: str | None, text: str, slop: int | None = None) -> Part | None:
        """What stood in quotes."""
        if field == "_exists_":
            return self.exists(text)
        far = self.options.slop if slop is None else slop
        return self._each(field, lambda known: self.leaves.phrase(known, text, far))

    def wildcard(self, field: str | None, pattern: str) -> Part | None:
        """A pattern with `*` or `?` in it; `*` alone asks whether a field exists."""
        if pattern == "*":
            return Everything() if (field or self.options.default) == "*" else self._each(field, Exists)
        return self._each(field, lambda known: self.leaves.like(known, self._normal(known, pattern)))

    def prefix(self, field: str | None, text: str) -> Part | None:
        """What stood before a `*` at the end."""
        return self._each(field, lambda known: self._prefix(known, text))

    def fuzzy(self, field: str | None, text: str, edits: int | None) -> Part | None:
        """A word with `~`; `edits` None: as many as its length allows."""
        fuzzy = self.options.fuzzy if edits is None else replace(self.options.fuzzy, edits=edits)
        return self._each(field, lambda known: self.leaves.fuzzy(known, self._normal(known, text), fuzzy))

    def regexp(self, field: str | None, expression: str) -> Part | None:
        """What stood between slashes."""
        flags = flags_of("ALL")
        return self._each(field, lambda known: self.leaves.regexp(known, expression, flags))

    def between(
        self, field: str | None, low: str | None, high: str | None, *, low_open: bool = False, high_open: bool = False
    ) -> Part | None:
        """A range; None is an open end."""
        low_open, high_open = low_open and low is not None, high_open and high is not None

        def make(known: Field) -> Node:
            first, last = (text if text is None else self._normal(known, text) for text in (low, high))
            return self.leaves.range(known, Limits(first, last, low_open, high_open, self.options.zone or UTC))

        return self._each(field, make)

    def exists(self, name: str) -> Part | None:
        """The field has a value."""
        return self._each(name, Exists)

    def _each(self, name: str | None, make: Callable[[Field], Part | None]) -> Part | None:
        """What one field is asked, or any of several; a field that was never indexed matches nothing."""
        fields = self._fields(name)
        if not fields:
            return Nothing()
        if len(fields) == 1:
            return self._leniently(fields[0], make)
        parts = [self._leniently(known, make) for known in fields]
        nodes = [node_of(part) for part in parts if part is not None]
        return any_of(nodes) if nodes else None

    def _leniently(self, field: Field, make: Callable[[Field], Part | None]) -> Part | None:
        try:
            return make(field)
        except ValueError:
            if self.options.lenient:
                return Nothing()
            raise

    def _fields(self, name: str | None) -> list[Field]:
        names = self.options.fields if name is None else (name,)
        return [field for each in names for field in self.leaves.fields(each)]

    def _words(self, field: Field, text: str) -> Part | None:
        options = self.options
        if field.kind == "date" and options.zone:
            return self.leaves.range(field, Limits(text, text, zone=options.zone))
        if options.kind in ("phrase", "phrase_prefix"):
            return self.leaves.phrase(field, text, options.slop, prefix=options.kind == "phrase_prefix")
        words = self.leaves.begun(field, text) if options.kind == "bool_prefix" else self.leaves.words(field, text)
        if len(words) < 2:
            return words[0] if words else None
        return Group([(options.occur, word) for word in words])

    def _prefix(self, field: Field, text: str) -> Part | None:
        analyzed = self.leaves.analyzed(field)
        if analyzed is None or not self.options.analyze_wildcard:
            return self.leaves.prefix(field, self._normal(field, text))
        terms = [term for term in analyzed.analyzer.terms(text) if term is not None]
        if not terms:
            return None
        last = self.leaves.prefix(analyzed, terms[-1])
        if len(terms) == 1:
            return last
        occur = self.options.occur
        return Group([*((occur, self.leaves.term(analyzed, term)) for term in terms[:-1]), (occur, last)])

    def _normal(self, field: Field, text: str) -> str:
        """A pattern or bound as the analyzer's character filters leave it."""
        analyzed = self.leaves.analyzed(field)
        return analyzed.analyzer.normalize(text) if analyzed else text
