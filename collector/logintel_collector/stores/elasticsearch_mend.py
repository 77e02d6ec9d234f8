"""Mending: a document that an index refuses for one of its fields, with that field where it cannot hurt.

Fields in `metadata` take the type that the first document of a day gives them; one that brings an object where others
have a text, or a name that cannot be one, moves to `metadata_text`: still whole, still found by its words.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeAlias

import orjson

#: How often a document is mended: field by field, the last time all that may move.
MENDS: Final = 4
MOVED: Final = "metadata_text"
#: Fields that a document can do without in their own place.
_MOVABLE: Final = ("metadata", "parsed_fields", "tags", "category", "geo_location")
_NAMED: Final = re.compile(rf"\[({'|'.join(_MOVABLE)})(?:\.([^\]]*))?\]")
#: 400s that say that the document is at fault, and the one that may say so.
_DOCUMENT: Final = frozenset(
    {"document_parsing_exception", "mapper_parsing_exception", "strict_dynamic_mapping_exception"}
)
_PERHAPS: Final = "illegal_argument_exception"

Fault: TypeAlias = Literal["document", "perhaps", "index"]


def fault(kind: str) -> Fault:
    """Whose fault an item's 400 is. The index's (too many shards, closed, no pipeline) is waited out."""
    if kind in _DOCUMENT:
        return "document"
    return "perhaps" if kind == _PERHAPS else "index"


def mended(body: bytes, reason: str, mends: int) -> bytes | None:
    """The document with what `reason` names in MOVED; None: nothing can be done. `mends`: how often it was done."""
    if mends >= MENDS:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    named = _NAMED.search(reason)
    taken = _take(document, named[1], named[2]) if named and mends < MENDS - 1 else _take_all(document)
    if not taken:
        return None
    before = document.get(MOVED)
    document[MOVED] = [*(before if isinstance(before, list) else []), orjson.dumps(taken).decode()]
    return orjson.dumps(document)


def _take(document: dict[str, Any], field: str, member: str | None) -> dict[str, Any]:
    """Remove of an object the members that are on the path `member` (`a.b.c`) or below it, else the whole field."""
    value = document.get(field)
    if member and isinstance(value, dict):
        on_path = [name for name in value if f"{member}.".startswith(f"{name}.") or name.startswith(f"{member}.")]
        if on_path:
            return {field: {name: value.pop(name) for name in on_path}}
    return {field: document.pop(field)} if field in document else {}


def _take_all(document: dict[str, Any]) -> dict[str, Any]:
    return {field: document.pop(field) for field in _MOVABLE if document.get(field)}
