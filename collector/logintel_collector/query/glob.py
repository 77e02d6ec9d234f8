"""Wildcard patterns of Elasticsearch: `*` any text, `?` one code point, `\\` takes the next character as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

Parts: TypeAlias = tuple[tuple[str | None, ...], ...]


def glob_parts(pattern: str) -> Parts:
    """The characters between the `*`; None is one `?`. A backslash at the very end is itself."""
    parts: list[list[str | None]] = [[]]
    chars = iter(pattern)
    for char in chars:
        if char == "\\":
            parts[-1].append(next(chars, "\\"))
        elif char == "*":
            parts.append([])
        else:
            parts[-1].append(None if char == "?" else char)
    return tuple(map(tuple, parts))


def glob_test(parts: Parts) -> Callable[[str], bool]:
    """A function that says whether a whole text fits; linear in the text for each part."""
    literals = [None if None in part else "".join(map(str, part)) for part in parts]
    first, last = literals[0], literals[-1]
    inner = [literal for literal in literals[1:-1] if literal != ""]
    if first is None or last is None or None in inner or len(inner) > 1:
        return _compiled(parts)
    if len(parts) == 1:
        return first.__eq__
    middle = inner[0] if inner else ""
    if middle is None or (middle and (first or last)) or (first and last):
        return _compiled(parts)
    if first:
        return lambda text: text.startswith(first)
    if last:
        return lambda text: text.endswith(last)
    return lambda text: middle in text


def _compiled(parts: Parts) -> Callable[[str], bool]:
    """Each inner part is found at its first place and kept there (atomic), so that nothing is tried twice."""
    first, *rest = ["".join("." if char is None else re.escape(char) for char in part) for part in parts]
    if not rest:
        fits = re.compile(first, re.DOTALL).fullmatch
        return lambda text: fits(text) is not None
    *inner, last = rest
    middle = "".join(f"(?>.*?{part})" for part in inner if part)
    found = re.compile(rf"{first}{middle}.*{last}", re.DOTALL).fullmatch
    return lambda text: found(text) is not None
