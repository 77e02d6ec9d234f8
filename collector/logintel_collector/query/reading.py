"""Reading: the values of a field out of a document, as Elasticsearch sees it.

Arrays are flat, arrays of objects too; `a.b` as one key is the same as `b` inside `a`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import methodcaller
from typing import Final, TypeAlias

from logintel.event import Json
from logintel_collector.query.analysis import Analyzer

Source: TypeAlias = Mapping[str, Json]
Predicate: TypeAlias = Callable[[Source], bool]
#: Stands for a text that nobody has asked for yet; told apart by identity.
_UNREAD: Final = "\0unread"


def values_of(path: tuple[str, ...]) -> Callable[[Source], Json]:
    """A function from document to the value at `path`: one value, a list of them (perhaps nested), or None."""
    if len(path) == 1:
        return methodcaller("get", path[0])
    first, second = path[0], ".".join(path[1:])
    whole = ".".join(path)
    single = len(path) == 2

    def read(source: Source) -> Json:
        inner = source.get(first)
        if single and inner.__class__ is dict and whole not in source:
            return inner.get(second)
        return list(_gathered(source, path))

    return read


def flat(value: Json) -> Iterator[Json]:
    """The leaves of a value: arrays opened, null left out."""
    if isinstance(value, list):
        for item in value:
            yield from flat(item)
    elif value is not None:
        yield value


def _gathered(value: object, path: tuple[str, ...]) -> Iterator[Json]:
    """Every value at `path` below `value`, for each way to join the parts of the path into keys."""
    if isinstance(value, list):
        for item in value:
            yield from _gathered(item, path)
    if not isinstance(value, Mapping):
        return
    for size in range(1, len(path) + 1):
        key = ".".join(path[:size])
        if key not in value:
            continue
        if size == len(path):
            yield value[key]
        else:
            yield from _gathered(value[key], path[size:])


def text_of(value: Json) -> str | None:
    """A scalar as a keyword or text field indexes it; None for null and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return None


class TextReader:
    """Terms of one text field. The last document's are kept, so that all queries of a mapping analyse it once.

    A document is recognised by being the same object: it must not be changed between two readings.
    """

    __slots__ = ("_analyzer", "_lowered", "_source", "_strict", "_terms", "_value", "_values", "_vocabulary")
    _lowered: str | None
    _terms: list[str | None] | None
    _vocabulary: frozenset[str | None] | None

    def __init__(self, path: tuple[str, ...], analyzer: Analyzer, strict: bool) -> None:
        """`strict`: numbers and booleans are no text."""
        self._values = values_of(path)
        self._analyzer = analyzer
        self._strict = strict
        self._turn_to({})

    def terms(self, source: Source) -> list[str | None]:
        """The terms; the index is the position, None a hole."""
        if self._source is not source:
            self._turn_to(source)
        if self._terms is None:
            values = [value for value in flat(self._value) if not self._strict or isinstance(value, str)]
            texts = [text for value in values if (text := text_of(value)) is not None]
            self._terms = self._analyzer.all_terms(texts)
        return self._terms

    def vocabulary(self, source: Source) -> frozenset[str | None]:
        """The set of terms (and perhaps None)."""
        terms = self.terms(source)
        if self._vocabulary is None:
            self._vocabulary = frozenset(terms)
        return self._vocabulary

    def lowered(self, source: Source) -> str | None:
        """A text that has every term of the field verbatim; None where nobody can know without analysing it."""
        if self._source is not source:
            self._turn_to(source)
        if self._lowered is _UNREAD:
            self._lowered = self._lower(self._value)
        return self._lowered

    def _lower(self, value: Json) -> str | None:
        if value is None:
            return ""
        if value.__class__ is str and self._analyzer.verbatim and value.isascii():
            return value.lower()
        return None

    def _turn_to(self, source: Source) -> None:
        self._source, self._value = source, self._values(source)
        self._lowered = _UNREAD
        self._terms = self._vocabulary = None
