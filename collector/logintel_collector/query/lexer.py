"""The tokens of Lucene's query syntax (the classic QueryParser's grammar): the longest wins, then the first listed."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_ESCAPED: Final = r"\\."
_START: Final = rf'(?:[^ \t\n\r\u3000+\-!():^\[\]"{{}}~*?\\/]|{_ESCAPED})'
_CHAR: Final = rf"(?:{_START}|[-+])"
_SPACE: Final = re.compile(r"[ \t\n\r\u3000]*")

#: In the order of the grammar, which decides between tokens of the same length.
_DEFAULT: Final = [
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        ("AND", r"AND|&&"),
        ("OR", r"OR|\|\|"),
        ("NOT", r"NOT|!"),
        ("+", r"\+"),
        ("-", r"-"),
        ("bare", r"[+\-!][ \t\n\r\u3000]"),
        ("(", r"\("),
        (")", r"\)"),
        (":", r":"),
        ("star", r"\*"),
        ("^", r"\^"),
        ("quoted", rf'"(?:[^"\\]|{_ESCAPED})*"'),
        ("term", rf"{_START}{_CHAR}*"),
        ("fuzzy", rf"~{_CHAR}*"),
        ("prefix", rf"{_START}{_CHAR}*\*"),
        ("wild", rf"(?:{_START}|[*?])(?:{_CHAR}|[*?])*"),
        ("regex", r"/(?:\\/|[^/])*/"),
        ("[", r"\["),
        ("{", r"\{"),
    )
]
_BOOST: Final = [("number", re.compile(r"[0-9]+(?:\.[0-9]+)?"))]
_RANGE: Final = [
    ("TO", re.compile(r"TO")),
    ("]", re.compile(r"\]")),
    ("}", re.compile(r"\}")),
    ("range_quoted", re.compile(r'"(?:[^"\\]|\\.)+"', re.DOTALL)),
    ("goop", re.compile(r"[^ \]}]+")),
]
_NEXT: Final = {"^": _BOOST, "number": _DEFAULT, "[": _RANGE, "{": _RANGE, "]": _DEFAULT, "}": _DEFAULT}


class Token(NamedTuple):
    """`place` is the index of its first character."""

    kind: str
    text: str
    place: int


def scan(text: str) -> list[Token]:
    """All tokens and one of kind `end`. Raises ValueError where none begins."""
    found: list[Token] = []
    state = _DEFAULT
    at = _skip(text, 0)
    while at < len(text):
        token = _longest(state, text, at)
        if token is None:
            raise ValueError(f"cannot read {text[at : at + 20]!r} at character {at + 1}")
        found.append(token)
        state = _NEXT.get(token.kind, state)
        at = _skip(text, at + len(token.text))
    found.append(Token("end", "", at))
    return found


def unescape(text: str) -> str:
    """The text without its escapes: `\\:` is `:`, `\\u0041` is `A`. Raises ValueError for a broken one."""
    if "\\" not in text:
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "\\":
            out.append(text[at])
            at += 1
            continue
        if at + 1 == len(text):
            raise ValueError("the text ends in a backslash that escapes nothing")
        if text[at + 1] == "u":
            code = text[at + 2 : at + 6]
            if not re.fullmatch(r"[0-9a-fA-F]{4}", code):
                raise ValueError(f"\\u needs four hexadecimal digits, got {code!r}")
            out.append(chr(int(code, 16)))
            at += 6
        else:
            out.append(text[at + 1])
            at += 2
    return "".join(out)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _longest(state: list[tuple[str, re.Pattern[str]]], text: str, at: int) -> Token | None:
    best: Token | None = None
    for kind, pattern in state:
        match = pattern.match(text, at)
        if match and (best is None or len(match[0]) > len(best.text)):
            best = Token(kind, match[0], at)
    return best
