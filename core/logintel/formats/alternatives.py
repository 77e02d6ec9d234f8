"""Alternatives: patterns of which the first that matches is taken, compiled as one, and what their groups mean.

Groups: `time level message pairs`, the parsed fields `host service thread class_ method_ line_number stack_trace`, and
every other name, which is metadata.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

_FIELDS: Final = {
    "host": "host",
    "service": "service",
    "thread": "thread",
    "class_": "class",
    "method_": "method",
    "line_number": "line_number",
    "stack_trace": "stack_trace",
}
_PARTS: Final = ("time", "level", "message", "pairs")
#: Metadata that is a number in every format, so that one mapping fits it.
NUMBERS: Final = frozenset(("status", "bytes", "client_port", "server_port", "target_port"))
#: The beginning of a named group, or a reference to one.
_NAMED: Final = re.compile(r"\(\?P([<=]\w+)")


class Layout(NamedTuple):
    """What an alternative's groups are.

    number    its place among the alternatives
    groups    numbers of the groups of time, level, message and pairs, then of `fields`, then of `metadata`; a part
              that the alternative does not have is a group that is always empty
    fields    names of parsed fields
    metadata  names of metadata
    """

    number: int
    groups: tuple[int, ...]
    fields: tuple[str, ...]
    metadata: tuple[str, ...]


class Found(NamedTuple):
    """A match: the layout, and the text of each of its groups."""

    layout: Layout
    texts: tuple[str | None, ...]


class Alternatives:
    """A miss costs little, however many they are. Compiled when first needed: most formats never are."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = patterns

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        # A group's name is unique in a pattern only; the empty group at its end tells which one matched.
        return re.compile("|".join(f"(?:{_numbered(text, n)})(?P<_{n}>)" for n, text in enumerate(self._patterns)))

    @cached_property
    def _layouts(self) -> dict[int, Layout]:
        indices = dict(self._whole.groupindex)
        return {indices[f"_{n}"]: _layout(n, text, indices) for n, text in enumerate(self._patterns)}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, text: str, start: int = 0) -> Found | None:
        """The first alternative that matches at `start`."""
        match = self._whole.match(text, start)
        if match is None or match.lastindex is None:
            return None
        layout = self._layouts[match.lastindex]
        return Found(layout, match.group(*layout.groups))

    def behind(self, found: Found) -> Alternatives:
        """The alternatives that come after."""
        return _alternatives(self._patterns[found.layout.number + 1 :])


def compiled(*patterns: str) -> Alternatives:
    """The patterns; they are matched from the first character."""
    return _alternatives(patterns)


def _layout(number: int, pattern: str, indices: dict[str, int]) -> Layout:
    names = [match[1][1:] for match in _NAMED.finditer(pattern) if match[1][0] == "<"]
    fields = [name for name in names if name in _FIELDS]
    metadata = [name for name in names if name not in _FIELDS and name not in _PARTS]
    empty = indices[f"_{number}"]
    groups = [indices.get(f"{name}_{number}", empty) for name in (*_PARTS, *fields, *metadata)]
    return Layout(number, tuple(groups), tuple(_FIELDS[name] for name in fields), tuple(metadata))


def _numbered(pattern: str, number: int) -> str:
    """The pattern with `_NUMBER` behind the name of each group."""
    return _NAMED.sub(lambda match: f"(?P{match[1]}_{number}", pattern)


@lru_cache(maxsize=256)
def _alternatives(patterns: tuple[str, ...]) -> Alternatives:
    return Alternatives(patterns)
