"""Pairs: `key=value` anywhere in a text, the way security and Go programs write them."""

from __future__ import annotations

import re
from typing import Final

from logintel.event import Json

_PAIR: Final = re.compile(
    r"""(?<![\w.@-])([A-Za-z_@][\w.@/-]{0,63})="""
    r"""(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|'([^']*)'|\[([^\[\]]*)\]|(\([^()\s]*\)|[^\s,;|\]\[(){}"'=&][^\s,;|\])}"'&]*))"""
)
_KEYED: Final = re.compile(r"[\w ./:-]{1,80}=[^=]*$")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = {"n": "\n", "t": "\t", "r": "\r"}
#: More pairs than this in one record are a document, not a log line's context.
MAX_PAIRS: Final = 200


def pairs(text: str) -> dict[str, Json]:
    """Every pair of `text`, values as text; the first of a key that stands twice."""
    found: dict[str, Json] = {}
    for separator in ("|", ", ", "; "):
        parts = text.split(separator, MAX_PAIRS)
        if len(parts) > 3 and sum(_KEYED.match(part) is not None for part in parts) * 5 >= len(parts) * 4:
            _take_parts(found, parts)
            break
    for match in _PAIR.finditer(text):
        key, double, single, bracketed, bare = match.groups()
        if key not in found:
            found[key] = unescape(double) if double is not None else single or bracketed or bare or ""
            if len(found) >= MAX_PAIRS:
                break
    return found


def _take_parts(found: dict[str, Json], parts: list[str]) -> None:
    """Pairs between separators, whose values may hold blanks."""
    for part in parts:
        key, equals, value = part.partition("=")
        name = key.rpartition(" ")[2].strip()
        if equals and name and value:
            found.setdefault(name, value.strip().strip('"'))


def unescape(text: str) -> str:
    """A double-quoted value without its backslashes."""
    return _ESCAPE.sub(lambda match: _PLAIN.get(match[1], match[1]), text) if "\\" in text else text
