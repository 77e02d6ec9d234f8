"""Mending: a document that an index refuses for some of its fields, with those fields where they cannot hurt.

The first event of a day that has a field in `metadata` or `parsed_fields` decides its type, and there is room for so
many fields in an index. What does not fit moves, as it is, to `overflow`, one field of type flattened however many
names are in it: `metadata.code` is found there as `overflow.metadata.code`.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeAlias

import orjson

from logintel_collector.stores.elasticsearch_fields import DEPTH, DYNAMIC, IndexFields, is_a_name

#: How often a document is mended: by what the index says and has, the last time all that may move.
MENDS: Final = 4
OVERFLOW: Final = "overflow"
#: Member of `overflow` with what no field can name, as JSON.
UNNAMED: Final = "json"
#: Bytes of a name that leave a flattened field room for the longest value that it indexes (32,766 for both).
_NAME_BYTES: Final = 8000
#: Fields that a document can do without in their own place.
_MOVABLE: Final = (*DYNAMIC, "tags", "category", "geo_location")
_NAMED: Final = re.compile(rf"""(?:\[|field=")((?:{"|".join(_MOVABLE)})(?:\.[^\]"]*)?)[\]"]""")
_FULL: Final = "Limit of total fields"
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


def says_full(reason: str) -> bool:
    """Whether an index refused a document because it has all the fields that it may have."""
    return _FULL in reason


def named(reason: str) -> str:
    """The field that a reason names, `metadata.code`; "": none that could move."""
    found = _NAMED.search(reason)
    return found[1] if found else ""


def mended(body: bytes, reason: str, mends: int, fields: IndexFields | None) -> bytes | None:
    """The document with what does not fit in `overflow`; None: nothing can be done.

    reason  Elasticsearch's for refusing it
    mends   how often it was mended
    fields  of the index; None: they are not known
    """
    if mends >= MENDS:
        return None
    try:
        document = orjson.loads(body)
        if not isinstance(document, dict):
            return None
        taken = {} if mends == MENDS - 1 else _Split(fields, reason).take(document)
        if not taken:
            taken = {field: document.pop(field) for field in _MOVABLE if document.get(field)}
        if not taken:
            return None
        _add(document, taken)
        return orjson.dumps(document)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):  # deeper than anyone writes
        return None


class _Split:
    """What fits and what does not, member by member."""

    def __init__(self, fields: IndexFields | None, reason: str) -> None:
        self._fields, self._named, self._full = fields, named(reason), says_full(reason)
        self._below = f"{self._named}." if self._named else "\n"

    def take(self, document: dict[str, Any]) -> dict[str, Any]:
        """Remove what does not fit; it, in the objects that it was in."""
        taken: dict[str, Any] = {}
        for field in _MOVABLE:
            value = document.get(field)
            if field in DYNAMIC and isinstance(value, dict) and self._named != field:
                moved = self._members(value, field, 1)
                if moved:
                    taken[field] = moved
            elif field in document and (self._named == field or self._refused(field, value)):
                taken[field] = document.pop(field)
        return taken

    def _members(self, value: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        moved: dict[str, Any] = {}
        for name in list(value):
            inner, member = f"{path}.{name}", value[name]
            if depth > DEPTH or not is_a_name(name) or self._refused(inner, member):
                moved[name] = value.pop(name)
            elif isinstance(member, dict):
                if below := self._members(member, inner, depth + 1):
                    moved[name] = below
                    if not member:
                        del value[name]
            elif isinstance(member, list) and self._refused_within(member, inner, depth + 1):
                moved[name] = value.pop(name)
        return moved

    def _refused_within(self, members: list[Any], path: str, depth: int) -> bool:
        """Objects in a list stay together: which value belongs to which is in their order."""
        return depth > DEPTH or any(
            not is_a_name(name)
            or self._refused(f"{path}.{name}", value)
            or self._refused_within([value], f"{path}.{name}", depth + 1)
            for member in members
            if isinstance(member, dict)
            for name, value in member.items()
        )

    def _refused(self, path: str, value: Any) -> bool:
        """Whether Elasticsearch has named it, or one of its parts in a name with dots, or the index would refuse it."""
        if path == self._named or path.startswith(self._below):
            return True
        if self._below.startswith(path) and self._below[len(path)] == "." and not isinstance(value, dict):
            return True
        known = self._fields if path.startswith(DYNAMIC) else None
        return known is not None and known.refuses(path, value, full=self._full)


def _add(document: dict[str, Any], taken: dict[str, Any]) -> None:
    """To the document's overflow, which may hold other members of the same fields already."""
    overflow = document.get(OVERFLOW, {})
    unnamed: dict[str, Any] = {}
    if not _is_ours(overflow):
        overflow, unnamed = {}, {OVERFLOW: overflow}
    for field, value in taken.items():
        if not isinstance(value, dict) or not value:
            (unnamed if field in overflow else overflow)[field] = value
            continue
        for name, member in value.items():
            fits = isinstance(overflow.get(field, {}), dict) and _is_speakable(f"{field}.{name}", member)
            to = overflow if fits else unnamed
            _put(to.setdefault(field, {}), name, member)
    if unnamed:
        overflow[UNNAMED] = [*overflow.get(UNNAMED, []), orjson.dumps(unnamed).decode()]
    document[OVERFLOW] = overflow


def _is_ours(overflow: Any) -> bool:
    """Whether we have made it: somebody else's document may have anything there."""
    if not isinstance(overflow, dict) or not isinstance(overflow.get(UNNAMED, []), list):
        return False
    return overflow.keys() <= {*_MOVABLE, UNNAMED}


def _put(members: dict[str, Any], name: str, value: Any) -> None:
    """Add a member; an object's go to those of an object that is there."""
    before = members.get(name)
    if isinstance(before, dict) and isinstance(value, dict):
        for inner, member in value.items():
            _put(before, inner, member)
    else:
        members[name] = value


def _is_speakable(path: str, value: Any) -> bool:
    """Whether a flattened field takes all the names in a value."""
    if isinstance(value, list):
        return all(_is_speakable(path, one) for one in value)
    if isinstance(value, dict):
        return all(_is_speakable(f"{path}.{name}", one) for name, one in value.items())
    return "\0" not in path and len(path.encode()) <= _NAME_BYTES
