"""Drain: learns templates from lines, one at a time, in bounded room and with a bounded cost per line.

He, Zhu, Zheng, Lyu: Drain, An Online Log Parsing Approach with Fixed Depth Tree, ICWS 2017. Lines of as many words that
begin with the same word are compared; a line joins the template it shares most words with, where that is enough, and
words in which the two differ become `<*>`.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import orjson

from logintel.bus.segment_writer import sync_directory

WILDCARD: Final = "<*>"
Tokens: TypeAlias = "tuple[str, ...]"
#: Templates that a line is compared with at most.
_COMPARED: Final = 50
_VERSION: Final = 1
_Leaf: TypeAlias = "tuple[int, str]"


class Drain:
    """At most `room` templates; `similarity` is the part of the words that must be the same."""

    def __init__(self, room: int, similarity: float) -> None:
        self._room, self._similarity = room, similarity
        self._groups: dict[_Leaf, list[Tokens]] = {}
        self._sizes: OrderedDict[Tokens, int] = OrderedDict()

    def learn(self, words: Tokens) -> None:
        """Let a line join the template it fits to, or begin one."""
        group = self._groups.get(_leaf(words), [])
        best = max(group, key=lambda template: _shared(template, words), default=None)
        if best is None or _shared(best, words) < self._similarity * len(words):
            if words not in self._sizes:
                self._add(words, 1)
            return
        joined = tuple(old if old == new else WILDCARD for old, new in zip(best, words, strict=True))
        size = self._sizes.pop(best) + 1
        group.remove(best)
        if joined in self._sizes:
            self._sizes[joined] += size
            self._sizes.move_to_end(joined)
        else:
            self._add(joined, size)

    def templates(self) -> frozenset[Tokens]:
        """Those of more than one line in which a word varies."""
        return frozenset(words for words, size in self._sizes.items() if size > 1 and WILDCARD in words)

    def dump(self) -> list[tuple[Tokens, int]]:
        """Each template with its number of lines, the least used first."""
        return list(self._sizes.items())

    def load(self, dumped: Iterable[tuple[Tokens, int]]) -> None:
        """Know what was dumped."""
        for words, size in dumped:
            if words not in self._sizes:
                self._add(words, size)

    def _add(self, words: Tokens, size: int) -> None:
        """The least used gives way, of all or of those that a line is compared with."""
        if len(self._sizes) >= self._room:
            self._forget(next(iter(self._sizes)))
        group = self._groups.setdefault(_leaf(words), [])
        if len(group) >= _COMPARED:
            del self._sizes[group.pop(0)]
        group.append(words)
        self._sizes[words] = size

    def _forget(self, words: Tokens) -> None:
        del self._sizes[words]
        leaf = _leaf(words)
        self._groups[leaf].remove(words)
        if not self._groups[leaf]:
            del self._groups[leaf]


class Model:
    """Templates as lines are looked up in: what a line's template is depends on the line and on them alone."""

    def __init__(self, templates: frozenset[Tokens]) -> None:
        self.templates = templates
        self._groups: dict[_Leaf, list[Tokens]] = {}
        # The most words that are told first; in any order the same one must be found.
        for words in sorted(templates, key=lambda words: (words.count(WILDCARD), words)):
            self._groups.setdefault(_leaf(words), []).append(words)

    def text(self, words: Tokens) -> str | None:
        """The template of a line; None: none fits."""
        for template in self._groups.get(_leaf(words), ()):
            if all(said in (WILDCARD, word) for said, word in zip(template, words, strict=True)):
                return " ".join(template)
        return None


def read_model(path: Path) -> Sequence[tuple[Tokens, int]]:
    """What `write_model` wrote; nothing where there is no such file, or it is damaged: it is learned again."""
    try:
        body = orjson.loads(path.read_bytes())
        if body["version"] != _VERSION:
            return []
        return [(tuple(map(str, words)), int(size)) for words, size in body["templates"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_model(path: Path, templates: Sequence[tuple[Tokens, int]]) -> None:
    """In one step. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    with fresh.open("wb") as file:
        file.write(orjson.dumps({"version": _VERSION, "templates": templates}))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)


def _leaf(words: Tokens) -> _Leaf:
    return len(words), words[0] if words else ""


def _shared(template: Tokens, words: Tokens) -> int:
    return sum(said == word for said, word in zip(template, words, strict=True))
