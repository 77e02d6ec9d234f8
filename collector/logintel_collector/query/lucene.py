"""Lucene query strings: Elasticsearch's `query_string`, with Lucene's grammar and its lack of operator precedence.

Grammar: Lucene's classic QueryParser. AND makes both its neighbours required, everything else is optional unless + or
default_operator AND says otherwise; `a OR b AND c` is `+b +c`.
"""

from __future__ import annotations

from typing import Final

from logintel_collector.query.leaves import Leaves
from logintel_collector.query.lexer import Token, scan, unescape
from logintel_collector.query.nearness import MOST
from logintel_collector.query.terms import Group, Occur, Part, Terms, TextOptions, node_of
from logintel_collector.query.tree import Node, Nothing

_DEPTH: Final = 100
_TERMS: Final = frozenset({"term", "star", "prefix", "wild", "regex", "quoted", "bare", "[", "{"})


def parse_text(text: str, leaves: Leaves, options: TextOptions) -> Node:
    """The tree of a query string. Raises ValueError with the place for what Lucene cannot parse and what we refuse."""
    if not text.strip():
        return Nothing()
    parser = _Parser(text, Terms(leaves, options), options)
    part = parser.query(None, 0)
    parser.expect("end")
    return node_of(part, options.minimum)


class _Parser:
    """Recursive descent over the tokens; one method a production of the grammar."""

    def __init__(self, text: str, terms: Terms, options: TextOptions) -> None:
        self._tokens = scan(text)
        self._at = 0
        self._terms = terms
        self._options = options

    def query(self, field: str | None, depth: int) -> Part | None:
        """Clauses up to a closing bracket or the end; None where the analyzer left nothing."""
        if depth > _DEPTH:
            raise ValueError(f"brackets nested deeper than {_DEPTH} levels")
        clauses: list[tuple[Occur, Part]] = []
        only: Part | None = None
        first = True
        while first or self._kind() not in ("end", ")"):
            if self._several_words():
                part = self._joined_words(field, clauses)
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
        return Group(clauses) if clauses else None

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

    def _several_words(self) -> bool:
        """Whether two or more bare words follow each other: they are analysed as one text."""
        return self._kind() == "term" and self._follows(1)

    def _follows(self, ahead: int) -> bool:
        return self._kind(ahead) == "term" and self._kind(ahead + 1) not in (":", "star", "fuzzy", "^", "AND", "OR")

    def _joined_words(self, field: str | None, clauses: list[tuple[Occur, Part]]) -> Part | None:
        words = [self.expect("term").text]
        while self._follows(0):
            words.append(self.expect("term").text)
        part = self._terms.text(field, unescape(" ".join(words)))
        if isinstance(part, Group):
            clauses.extend(part.clauses)
        elif part is not None:
            clauses.append((self._options.occur, part))
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
        fuzzy = self._take("fuzzy")
        self._boost()
        if token.kind == "regex":
            return self._terms.regexp(field, token.text[1:-1])
        if token.kind == "quoted":
            slop = int(float(fuzzy.text[1:])) if fuzzy and len(fuzzy.text) > 1 else None
            return self._terms.phrase(field, unescape(token.text[1:-1]), slop)
        if fuzzy:
            edits = min(int(float(fuzzy.text[1:])), MOST) if len(fuzzy.text) > 1 else None
            return self._terms.fuzzy(field, unescape(token.text), edits)
        if token.kind == "prefix":
            return self._terms.prefix(field, unescape(token.text[:-1]))
        if token.kind in ("star", "wild"):
            return self._terms.wildcard(field, token.text)
        return self._terms.text(field, unescape(token.text[:1] if token.kind == "bare" else token.text))

    def _range(self, field: str | None, start: Token) -> Part | None:
        low, _, high = self._edge(), self.expect("TO"), self._edge()
        end = self._take("]", "}") or self.expect("]")
        self._boost()
        return self._terms.between(field, low, high, low_open=start.kind == "{", high_open=end.kind == "}")

    def _edge(self) -> str | None:
        token = self._take("goop", "range_quoted") or self.expect("goop")
        if token.text == "*":
            return None
        return unescape(token.text[1:-1] if token.kind == "range_quoted" else token.text)
