"""Elasticsearch's standard tokenizer: words by Unicode's rules (UAX #29), at most 255 UTF-16 units each.

Pure ASCII text is cut by one pattern. Other text is first rewritten to one class letter a character, and the rules are
a pattern over those letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

MAX_LENGTH: Final = 255

_ASCII: Final = re.compile(r"\w+(?:(?:(?<=[A-Za-z])[.:'](?=[A-Za-z])|(?<=[0-9])[.,;'](?=[0-9]))\w+)*", re.ASCII)

# Class letters: A letter, B Hebrew letter, N digit, K Katakana, _ joiner of words; : . ' " are marks that may stand
# inside a word, a comma inside numbers; x extends the character before it, j is the zero width joiner, m an emoji
# modifier; I ideograph, R Hiragana, S South East Asian, E emoji, F flag half, o other.
_X: Final = "[xjm]*"
_NUMBER: Final = f"N{_X}(?:(?:(?:_{_X})*|[,.']{_X})N{_X})*"
_LETTERS: Final = f"[AB]{_X}(?:(?:(?:_{_X})*|[:.']{_X})[AB]{_X})*"
_HEBREW: Final = f"B{_X}(?:'{_X}|\"{_X}B{_X})"
_KATAKANA: Final = f"K{_X}(?:(?:_{_X})*K{_X})*"
_UNIT: Final = f"(?:{_KATAKANA}|(?:{_LETTERS}(?:(?<=B)'{_X})?|{_HEBREW}|{_NUMBER})+)"
_CLASSES: Final = re.compile(
    rf"(?P<emoji>F{_X}F{_X}|[Em]{_X}(?:(?<=j)E{_X})*)|(?:_{_X})*{_UNIT}(?:(?:_{_X})+{_UNIT})*(?:_{_X})*|I{_X}|R{_X}|(?:S{_X})+"
)
_MARKS: Final = {
    **dict.fromkeys("'", "'"),
    **dict.fromkeys('"', '"'),
    **dict.fromkeys(".\u2018\u2019\u2024\ufe52\uff07\uff0e", "."),
    **dict.fromkeys(":\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a", ":"),
    **dict.fromkeys(",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b", ","),
    "\u200d": "j",
    "\u200c": "x",
    "\u200b": "o",
    "\u3031": "K",
    "\u3032": "K",
    "\u3033": "K",
    "\u3034": "K",
    "\u3035": "K",
    "\u309b": "K",
    "\u309c": "K",
    "\u30a0": "K",
    "\u30fc": "K",
    "\uff70": "K",
    "\uff9e": "x",
    "\uff9f": "x",
    "\u3005": "I",
    "\u3007": "I",
    "\u05f3": "A",
}
#: Scripts whose words have no spaces between them (line break class SA).
_SOUTH_EAST_ASIAN: Final = (
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
    "TAI LE ",
    "NEW TAI LUE ",
    "TAI THAM ",
    "TAI VIET ",
    "AHOM ",
)
_EMOJI: Final = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf\u23e9-\u23f3\u23f8-\u23fa\u24c2"
    "\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2604\u260e\u2611\u2614\u2615\u2618\u261d\u2620\u2622\u2623\u2626\u262a"
    "\u262e\u262f\u2638-\u263a\u2640\u2642\u2648-\u2653\u265f\u2660\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697"
    "\u2699\u269b\u269c\u26a0\u26a1\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf\u26d1\u26d3\u26d4"
    "\u26e9\u26ea\u26f0-\u26f5\u26f7-\u26fa\u26fd\u2702\u2705\u2708-\u270d\u270f\u2712\u2714\u2716\u271d\u2721\u2728\u2733"
    "\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763\u2764\u2795-\u2797\u27a1\u27b0\u27bf\u2934\u2935\u2b05-\u2b07"
    "\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f004\U0001f0cf\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f18e\U0001f191-\U0001f19a\U0001f201\U0001f202"
    "\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f250\U0001f251\U0001f300-\U0001f3fa\U0001f400-\U0001f64f"
    "\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7eb\U0001f90c-\U0001f9ff\U0001fa70-\U0001faff]"
)


def tokenize(text: str) -> list[str]:
    """The words of `text` in order, in their own case."""
    if text.isascii():
        found: list[str] = _ASCII.findall(text)
        if len(text) > MAX_LENGTH and max(map(len, found), default=0) > MAX_LENGTH:
            return list(_cut(text, text, _ASCII))
        return [word for word in found if word.strip("_")] if "_" in text else found
    return list(_cut(text, text.translate(_CLASS_OF), _CLASSES))


def _cut(text: str, classes: str, pattern: re.Pattern[str]) -> Iterator[str]:
    """Words of `text`, each the longest that fits into MAX_LENGTH units from its start."""
    at = run_end = 0
    while match := _within(text, classes, pattern, at, run_end) or pattern.search(classes, at):
        start, end = match.span()
        if _units(text[start:end]) > MAX_LENGTH:
            run_end = end  # the rest of it is not searched again for each piece
            match = pattern.match(classes, start, _window(text, start))
            end = match.end() if match else start
        word = text[start:end]
        if not word or (word[0] == "_" and not word.strip("_")):
            at = start + 1
            continue
        yield word
        at = end


def _within(text: str, classes: str, pattern: re.Pattern[str], at: int, run_end: int) -> re.Match[str] | None:
    """The next piece of a run that is too long and ends at `run_end`; None outside of one."""
    return pattern.match(classes, at, _window(text, at)) if at < run_end else None


def _units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _window(text: str, start: int) -> int:
    """The end of the longest part from `start` that has at most MAX_LENGTH units."""
    end, units = start, 0
    while end < len(text):
        units += 2 if text[end] > "\uffff" else 1
        if units > MAX_LENGTH:
            break
        end += 1
    return end


class _ClassTable(dict[int, str]):
    """Code point → class letter, worked out on first sight."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _class_of(chr(code))
        return found


def _class_of(char: str) -> str:
    mark = _MARKS.get(char)
    if mark is not None:
        return mark
    if "\U0001f1e6" <= char <= "\U0001f1ff":
        return "F"
    if _EMOJI.match(char):
        return "E"
    category = unicodedata.category(char)
    name = unicodedata.name(char, "")
    if category in ("Mn", "Me", "Mc"):
        return "S" if name.startswith(_SOUTH_EAST_ASIAN) else "x"
    if "\U0001f3fb" <= char <= "\U0001f3ff":
        return "m"
    if category == "Cf":
        return "x"
    if category == "Nd":
        return "N"
    if category == "Pc":
        return "_"
    if category[0] == "L" or category == "Nl" or "\u24b6" <= char <= "\u24e9":
        return _letter_class(name)
    return "o"


def _letter_class(name: str) -> str:
    if name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY", "NUSHU", "TANGUT", "HANGZHOU")):
        return "I"
    if name.startswith("HIRAGANA"):
        return "R"
    if "KATAKANA" in name:
        return "K"
    if name.startswith(_SOUTH_EAST_ASIAN):
        return "S"
    return "B" if name.startswith("HEBREW") else "A"


_CLASS_OF: Final = _ClassTable()
