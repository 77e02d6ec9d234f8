"""Simple query strings: Elasticsearch's `simple_query_string`, which never finds an error in what a person types.

Grammar: Lucene's SimpleQueryParser. `+` and, `|` or, `-` not, `"…"` a phrase (`~2` slop), `(…)`, `word*`, `word~1`.
Each operator builds on all that stands before it; what makes no sense is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logintel.event import Json
from logintel_collector.query.leaves import Leaves
from logintel_collector.query.nearness import MOST
from logintel_collector.query.terms import Group, Occur, Part, Terms, TextOptions, node_of
from logintel_collector.query.tree import Everything, Node, Nothing

#: The bits of parameter `flags`.
_BITS: Final = {
    "AND": 1, "NOT": 2, "OR": 4, "PREFIX": 8, "PHRASE": 16, "PRECEDENCE": 32, "ESCAPE": 64, "WHITESPACE": 128,
    "FUZZY": 256, "NEAR": 512,
}  # fmt: skip
_SPACE: Final = " \t\n\r"
_DEPTH: Final = 100


def operators_of(flags: Json) -> frozenset[str]:
    """The operators that `OR|AND`, `ALL`, `NONE` or their bits turn on. Raises ValueError."""
    if isinstance(flags, int) and not isinstance(flags, bool):
        return frozenset(_BITS) if flags < 0 else frozenset(name for name, bit in _BITS.items() if flags & bit)
    found: set[str] = set()
    for part in str(flags).upper().split("|"):
        name = {"SLOP": "NEAR"}.get(part, part)
        if name == "ALL":
            return frozenset(_BITS)
        if name == "NONE":
            return frozenset()
        if name not in _BITS:
            raise ValueError(f"unknown flag {part!r}: expected ALL, NONE, {', '.join(_BITS)}")
        found.add(name)
    return frozenset(found)


def parse_simple(text: str, leaves: Leaves, options: TextOptions, operators: frozenset[str]) -> Node:
    """The tree of a simple query string. Raises ValueError for a value that a field refuses, not for the text."""
    if text.strip() == "*":
        return Everything()
    parser = _Parser(text, len(text), Terms(leaves, options), operators, options.occur)
    parser.run()
    return Nothing() if parser.top is None else node_of(parser.top, options.minimum)


@dataclass(slots=True)
class _Parser:
    """One level: the whole text, or what a pair of brackets holds.

    top        all that was read
    operation  the operator that waits for its right side
    previous   the operator that `top` was built with
    negations  `-` directly before the next item
    """

    data: str
    end: int
    terms: Terms
    operators: frozenset[str]
    default: Occur
    at: int = 0
    depth: int = 0
    top: Part | None = None
    operation: Occur | None = None
    previous: Occur | None = None
    negations: int = 0

    def run(self) -> None:
        while self.at < self.end:
            char = self.data[self.at]
            if self.on("NOT", char, "-"):
                self.negations += 1
                self.at += 1
                continue
            self.item(char)
            self.negations = 0

    def item(self, char: str) -> None:
        if self.on("PRECEDENCE", char, "("):
            self.brackets()
        elif self.on("PHRASE", char, '"'):
            self.phrase()
        elif self.on("AND", char, "+"):
            self.operator("must")
        elif self.on("OR", char, "|"):
            self.operator("should")
        elif self.on("PRECEDENCE", char, ")") or self.on("WHITESPACE", char, _SPACE):
            self.at += 1
        else:
            self.word()

    def on(self, operator: str, char: str, signs: str) -> bool:
        return char in signs and operator in self.operators

    def operator(self, occur: Occur) -> None:
        if self.operation is None and self.top is not None:
            self.operation = occur
        self.at += 1

    def brackets(self) -> None:
        self.at += 1
        start, end = self.at, self.closing()
        if end is None:
            return
        if end == start or self.depth >= _DEPTH:
            self.operation = None
        else:
            inner = _Parser(self.data, end, self.terms, self.operators, self.default, start, self.depth + 1)
            inner.run()
            self.add(inner.top)
        self.at = end + 1

    def closing(self) -> int | None:
        """Where the bracket is closed; None: nowhere."""
        deep, at = 1, self.at
        while at < self.end:
            char = self.data[at]
            if self.on("ESCAPE", char, "\\"):
                at += 2
                continue
            deep += {"(": 1, ")": -1}.get(char, 0)
            if deep == 0:
                return at
            at += 1
        return None

    def phrase(self) -> None:
        self.at += 1
        start, text = self.at, []
        while self.at < self.end and self.data[self.at] != '"':
            if self.on("ESCAPE", self.data[self.at], "\\"):
                self.at += 1
                if self.at == self.end:
                    break
            text.append(self.data[self.at])
            self.at += 1
        if self.at >= self.end:
            self.at = start
            return
        self.at += 1
        near = self.at < self.end and self.on("NEAR", self.data[self.at], "~")
        if self.at - 1 == start and not near:
            self.operation = None
            return
        slop = 0
        if near and self.at + 1 == self.end:
            self.at = self.end
        elif near:
            slop = self.number()
        self.add(self.terms.phrase(None, "".join(text), slop))

    def word(self) -> None:
        text: list[str] = []
        begun = escaped = False
        while self.at < self.end:
            char = self.data[self.at]
            if not escaped:
                if self.on("ESCAPE", char, "\\"):
                    escaped, begun = True, False
                    self.at += 1
                    continue
                if self.finished(char):
                    break
                if text and self.on("FUZZY", char, "~"):
                    self.add_fuzzy("".join(text))
                    return
                begun = bool(text) and self.on("PREFIX", char, "*")
            escaped = False
            text.append(char)
            self.at += 1
        if text and begun:
            self.add(self.terms.prefix(None, "".join(text[:-1])))
        elif text:
            self.add(self.terms.words(None, "".join(text)))

    def add_fuzzy(self, text: str) -> None:
        edits = min(self.number(), MOST)
        self.add(self.terms.fuzzy(None, text, edits) if edits else self.terms.words(None, text))

    def number(self) -> int:
        """What stands behind `~` up to the end of the word; nothing: the most."""
        start = self.at + 1
        self.at = start
        while self.at < self.end and not self.finished(self.data[self.at]):
            self.at += 1
        digits = self.data[start : self.at]
        if not digits:
            return MOST
        try:
            return max(int(digits), 0)
        except ValueError:
            return 0

    def finished(self, char: str) -> bool:
        signs = (("PHRASE", '"'), ("OR", "|"), ("AND", "+"), ("PRECEDENCE", "()"), ("WHITESPACE", _SPACE))
        return any(self.on(name, char, sign) for name, sign in signs)

    def add(self, branch: Part | None) -> None:
        """Build on all that stands before."""
        if branch is not None:
            if self.negations % 2:
                branch = Group([("must_not", branch), ("should", Everything())])
            if self.top is None:
                self.top = branch
            else:
                self.join(self.top, branch, self.operation or self.default)
        self.operation = None

    def join(self, top: Part, branch: Part, occur: Occur) -> None:
        if self.previous != occur or not isinstance(top, Group):
            top = Group([(occur, top)])
        self.top = Group([*top.clauses, (occur, branch)])
        self.previous = occur
