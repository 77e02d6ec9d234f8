"""Analysis: the text of a field as index terms at positions, as an Elasticsearch analyzer makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Final

from logintel_collector.query.tokenizer import tokenize

#: Positions between the values of an array (position_increment_gap).
GAP: Final = 100
#: Lucene's English stop words, the default of filter `stop`.
STOP_WORDS: Final = frozenset(
    {
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    }
)


@dataclass(frozen=True, slots=True)
class Analyzer:
    """Standard tokenizer, then the filters in this order: lowercase, stop, snowball (English)."""

    lowercase: bool = True
    stop: bool = False
    stem: bool = False

    @property
    def verbatim(self) -> bool:
        """Whether every term stands in the lower-cased text as it is."""
        return self.lowercase and not self.stem

    def terms(self, text: str) -> list[str | None]:
        """The terms of `text`; the index is the position, None the hole that a stop word left."""
        words: list[str | None] = [*tokenize(self.normalize(text) if text.isascii() else text)]
        if not text.isascii():
            words = [self.normalize(word) for word in words if word]
        if self.stop:
            words = [None if word in STOP_WORDS else word for word in words]
        if self.stem:
            words = [word and _stem(word) for word in words]
        return words

    def normalize(self, text: str) -> str:
        """What patterns and range bounds go through: the filters that work on single characters."""
        return lower(text) if self.lowercase else text

    def all_terms(self, texts: Sequence[str]) -> list[str | None]:
        """The terms of an array's values, GAP positions apart."""
        found: list[str | None] = []
        for text in texts:
            if found:
                found.extend([None] * GAP)
            found.extend(self.terms(text))
        return found


def lower(text: str) -> str:
    """Lower case one code point at a time, as Java does: `İ` gives `i`, a final sigma stays the common small one."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def fold(text: str) -> str:
    """Lower case of ASCII letters alone: what case_insensitive means."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


class _LowerTable(dict[int, str]):
    def __missing__(self, code: int) -> str:
        small = chr(code).lower()
        found = self[code] = small if len(small) == 1 else small[0]
        return found


#: Beginnings that Snowball 3 treats apart and Lucene's older English stemmer does not; another first letter of the same
#: kind (vowel or consonant) hides them.
_NEWER_PREFIXES: Final = ("emerg", "evening", "inter", "later", "organ", "past", "univers")
_LOWER: Final = _LowerTable()
_ASCII_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    if word.startswith(_NEWER_PREFIXES):
        masked = ("a" if word[0] in "eiou" else "b") + word[1:]
        return word[0] + _stemmer()(masked)[1:]
    return _stemmer()(word)


@cache
def _stemmer() -> Callable[[str], str]:
    """Snowball's English stemmer; loaded when the first stemmed field is read."""
    stem_word: Callable[[str], str] = import_module("snowballstemmer").stemmer("english").stemWord
    return stem_word
