"""Lucene query strings: Elasticsearch's `query_string`, with Lucene's grammar and its lack of operator precedence.

Grammar: Lucene's classic QueryParser. AND makes both its neighbours required, everything else is optional unless + or
default_operator AND says otherwise; `a OR b AND c` is `+b +c`. Fuzzy, proximity and regular expressions are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal, TypeAlias

from logintel_collector.query.boolean import combine
from logintel_collector.query.leaves import Leaves, Limits
from logintel_collector.query.lexer import Token, scan, unescape
from logintel_collector.query.mapping import Field
from logintel_collector.query.tree import Everything, Exists, Node, Nothing

Occur: TypeAlias = Literal["must", "should", "must_not"]
_DEPTH = 100
_TERMS = frozenset({"term", "star", "prefix", "wild", "regex", "quoted", "bare", "[", "{"})


@dataclass(frozen=True, slots=True)
class TextOptions:
    """Parameters of `query_string`; `required`: default_operator AND."""

    default_field: str
    required: bool = False
    analyze_wildcard: bool = False
    minimum: int | str | None = None
    zone: tzinfo | None = None


def parse_text(text: str, leaves: Leaves, options: TextOptions) -> Node:
    """The tree of a query string. Raises ValueError with the place for what Lucene cannot parse and what we refuse."""
    if not text.strip():
        return Nothing()
    parser = _Parser(text, leaves, options)
    group = parser.query(None, 0)
    parser.expect("end")
    node = _node(group, options.minimum)
    return Nothing() if node is None else node


@dataclass(slots=True)
class _Group:
    """Clauses of one level: what a pair of brackets holds, or a text that became several terms."""

    clauses: list[tuple[Occur, Part]]


Part: TypeAlias = Node | _Group


def _node(part: Part | None, minimum: int | str | None = None) -> Node | None:
    if not isinstance(part, _Group):
        return part
    if not part.clauses:
        return None
    sides: dict[Occur, list[Node]] = {"must": [], "should": [], "must_not": []}
    for occur, inner in part.clauses:
        node = _node(inner)
        sides[occur].append(Nothing() if node is None else node)
    if minimum is not None and not sides["must"] and not sides["should"]:
        sides["must"].append(Everything())  # Elasticsearch completes the pure negation before it counts
    return combine(sides["must"], sides["should"], sides["must_not"], minimum)


class _Parser:
    """Recursive descent over the tokens; one method a production of the grammar."""

    def __init__(self, text: str, leaves: Leaves, options: TextOptions) -> None:
        self._tokens = scan(text)
        self._at = 0
        self._leaves = leaves
        self._options = options

    def query(self, field: str | None, depth: int) -> Part | None:
        """Clauses up to a closing bracket or the end; None where the analyzer left nothing."""
        if depth > _DEPTH:
            raise ValueError(f"brackets nested deeper than {_DEPTH} levels")
        clauses: list[tuple[Occur, Part]] = []
        only: Part | None = None
        first = True
        while first or self._kind() not in ("end", ")"):
            if self._several_terms():
                part = self._terms(field, clauses)
                only = part if first else only
            else:
                joined = None if first else self._joined()
                sign = self._sign()
                part = self._clause(field, depth)
                self._add(clauses, joined, sign, part)
                only = part if first and sign is None else only
            first = False
        if len(clauses) == 1 and only is not None:
            return only
        return _Group(clauses) if clauses else None

    def expect(self, kind: str) -> Token:
        token = self._tokens[self._at]
        if token.kind != kind:
            raise ValueError(f"unexpected {token.text or 'end of text'!r} at character {token.place + 1}")
        self._at += 1
        return token

    def _kind(self, ahead: int = 0) -> str:
        place = self._at + ahead
        return self._tokens[place].kind if place < len(self._tokens) else "end"

    def _take(self, *kinds: str) -> Token | None:
        token = self._tokens[self._at]
        if token.kind not in kinds:
            return None
        self._at += 1
        return token

    def _joined(self) -> str | None:
        token = self._take("AND", "OR")
        return token.kind if token else None

    def _sign(self) -> str | None:
        token = self._take("+", "-", "NOT")
        return token and ("+" if token.kind == "+" else "-")

    def _add(self, clauses: list[tuple[Occur, Part]], joined: str | None, sign: str | None, part: Part | None) -> None:
        if clauses and clauses[-1][0] != "must_not":
            if joined == "AND":
                clauses[-1] = ("must", clauses[-1][1])
            elif joined == "OR" and self._options.required:
                clauses[-1] = ("should", clauses[-1][1])
        if part is None:
            return
        if sign == "-":
            clauses.append(("must_not", part))
        elif self._options.required:
            clauses.append(("should" if joined == "OR" else "must", part))
        else:
            clauses.append(("must" if sign == "+" or joined == "AND" else "should", part))

    def _several_terms(self) -> bool:
        """Whether two or more bare words follow each other: they are analysed as one text."""
        return self._kind() == "term" and self._follows(1)

    def _follows(self, ahead: int) -> bool:
        return self._kind(ahead) == "term" and self._kind(ahead + 1) not in (":", "star", "fuzzy", "^", "AND", "OR")

    def _terms(self, field: str | None, clauses: list[tuple[Occur, Part]]) -> Part | None:
        words = [self.expect("term").text]
        while self._follows(0):
            words.append(self.expect("term").text)
        part = self._text(field, unescape(" ".join(words)))
        occur: Occur = "must" if self._options.required else "should"
        if isinstance(part, _Group):
            clauses.extend(part.clauses)
        elif part is not None:
            clauses.append((occur, part))
        return part

    def _clause(self, field: str | None, depth: int) -> Part | None:
        if self._kind() in ("term", "star") and self._kind(1) == ":":
            token = self.expect(self._kind())
            self.expect(":")
            field = "*" if token.kind == "star" else unescape(token.text)
        if not self._take("("):
            return self._term(field)
        part = self.query(field, depth + 1)
        self.expect(")")
        self._boost()
        return part

    def _boost(self) -> None:
        if self._take("^"):
            self.expect("number")

    def _term(self, field: str | None) -> Part | None:
        token = self._tokens[self._at]
        if token.kind not in _TERMS:
            self.expect("a term")
        self._at += 1
        if token.kind in ("[", "{"):
            return self._range(field, token)
        self._boost()
        if fuzzy := self._take("fuzzy"):
            kind = "proximity" if token.kind == "quoted" else "fuzzy"
            raise ValueError(f"{kind} search ({fuzzy.text}) is not supported, at character {fuzzy.place + 1}")
        self._boost()
        if token.kind == "regex":
            raise ValueError(f"regular expressions are not supported, at character {token.place + 1}")
        if token.kind == "quoted":
            return self._phrase(field, unescape(token.text[1:-1]))
        if token.kind in ("star", "prefix", "wild"):
            return self._pattern(field, token)
        return self._text(field, unescape(token.text[:1] if token.kind == "bare" else token.text))

    def _range(self, field: str | None, start: Token) -> Node:
        low, _, high = self._edge(), self.expect("TO"), self._edge()
        end = self._take("]", "}") or self.expect("]")
        self._boost()
        return self._between(field, low, high, low_open=start.kind == "{", high_open=end.kind == "}")

    def _edge(self) -> str | None:
        token = self._take("goop", "range_quoted") or self.expect("goop")
        if token.text == "*":
            return None
        return unescape(token.text[1:-1] if token.kind == "range_quoted" else token.text)

    def _between(
        self, field: str | None, low: str | None, high: str | None, *, low_open: bool = False, high_open: bool = False
    ) -> Node:
        known = self._field(field)
        if known is None:
            return Nothing()
        if known.kind == "text":
            low, high = (text if text is None else known.analyzer.normalize(text) for text in (low, high))
        zone = self._options.zone or UTC
        return self._leaves.range(
            known, Limits(low, high, low_open and low is not None, high_open and high is not None, zone)
        )

    def _text(self, field: str | None, text: str) -> Part | None:
        """A word as it stands: analysed, and a range where it begins with > or <."""
        if field == "_exists_":
            return self._exists(text)
        if len(text) > 1 and text[0] in "<>":
            inclusive = text[1] == "=" and len(text) > 2
            edge = text[2:] if inclusive else text[1:]
            if text[0] == ">":
                return self._between(field, edge, None, low_open=not inclusive)
            return self._between(field, None, edge, high_open=not inclusive)
        known = self._field(field)
        if known is None:
            return Nothing()
        if known.kind == "date" and self._options.zone:
            return self._between(field, text, text)
        words = self._leaves.words(known, text)
        if len(words) < 2:
            return words[0] if words else None
        occur: Occur = "must" if self._options.required else "should"
        return _Group([(occur, word) for word in words])

    def _phrase(self, field: str | None, text: str) -> Part | None:
        if field == "_exists_":
            return self._exists(text)
        known = self._field(field)
        return Nothing() if known is None else self._leaves.phrase(known, text)

    def _pattern(self, field: str | None, token: Token) -> Part | None:
        if token.text == "*":
            return Everything() if field == "*" else self._exists(field or self._options.default_field)
        known = self._field(field)
        if known is None:
            return Nothing()
        if token.kind == "prefix":
            return self._prefix(known, unescape(token.text[:-1]))
        return self._leaves.like(known, _normal(known, token.text))

    def _prefix(self, field: Field, text: str) -> Part | None:
        if not self._options.analyze_wildcard or field.kind != "text":
            return self._leaves.prefix(field, _normal(field, text))
        terms = [term for term in field.analyzer.terms(text) if term is not None]
        if not terms:
            return None
        last = self._leaves.prefix(field, terms[-1])
        if len(terms) == 1:
            return last
        occur: Occur = "must" if self._options.required else "should"
        return _Group([*((occur, self._leaves.term(field, term)) for term in terms[:-1]), (occur, last)])

    def _exists(self, name: str) -> Node:
        if "*" in name or "?" in name:
            raise ValueError(f"field pattern {name!r} is not supported")
        known = self._field(name)
        return Nothing() if known is None else Exists(known)

    def _field(self, name: str | None) -> Field | None:
        name = self._options.default_field if name is None else name
        if "*" in name:
            raise ValueError(f"field pattern {name!r} is not supported")
        if name.startswith("_"):
            raise ValueError(f"field {name} is not supported: it is no part of the document (an event's id is log_id)")
        return self._leaves.mapping.field(name)


def _normal(field: Field, text: str) -> str:
    """A pattern as the analyzer's character filters leave it."""
    return field.analyzer.normalize(text) if field.kind == "text" else text
