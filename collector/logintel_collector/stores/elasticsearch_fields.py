"""The fields of an index: what its mapping has made of metadata and parsed_fields, and which values it would refuse."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError

#: Fields of a document whose members become fields of the index by themselves.
DYNAMIC: Final = ("metadata", "parsed_fields")
#: Characters of a name, and objects in objects, that an index takes (index.mapping.field_name_length, .depth).
NAME_LENGTH: Final = 512
DEPTH: Final = 20
_BITS: Final = {"long": 63, "integer": 31}
#: A text that a field of numbers takes, the empty one among them (Elasticsearch's coerce).
_NUMBER: Final = re.compile(r"(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)?")
_PATH: Final = f"_mapping?filter_path={','.join(f'*.mappings.properties.{name}' for name in DYNAMIC)}"


class IndexFields:
    """Of one index, as it is now."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        """`properties`: those of the mapping, as Elasticsearch gives them."""
        self._types = dict(_types("", properties))

    def refuses(self, path: str, value: Any, *, full: bool) -> bool:
        """Whether it refuses a document for the value at `path` (`metadata.code`), its members left aside.

        With `full` also for being a further field.
        """
        if isinstance(value, list):
            return len({isinstance(one, dict) for one in _scalars(value)}) > 1 or any(
                self.refuses(path, one, full=full) for one in _scalars(value)
            )
        if value is None:
            return False
        known = self._types.get(path)
        if known is None:
            return self._is_below_a_value(path) or (full and (value == {} or not isinstance(value, dict)))
        if isinstance(value, dict) or known == "object":
            return isinstance(value, dict) != (known == "object")
        return _refused(known, value)

    def _is_below_a_value(self, path: str) -> bool:
        above = path.rpartition(".")[0]
        while above:
            if (kind := self._types.get(above)) is not None:
                return kind != "object"
            above = above.rpartition(".")[0]
        return False


async def fields_of(client: ElasticsearchClient, index: str) -> IndexFields | None:
    """The fields of an index; None: we may not look, or it is gone. Raises ElasticsearchError when nobody answers."""
    try:
        found = await client.ask("GET", f"/{index}/{_PATH}")
    except ElasticsearchError as error:
        if error.status is None or error.status >= 500:
            raise
        return None
    properties = next(iter(found.values()))["mappings"]["properties"] if found else {}
    return IndexFields(properties)


def is_a_name(name: str) -> bool:
    """Whether a member's name can be a field's; one with dots names an object in each part."""
    if name.isidentifier():
        return len(name) <= NAME_LENGTH
    return all(part.strip() and len(part) <= NAME_LENGTH for part in name.split("."))


def _types(path: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        inner = f"{path}.{name}" if path else name
        yield inner, field.get("type", "object")
        yield from _types(inner, field.get("properties", {}))


def _scalars(value: Any) -> Iterator[Any]:
    """What Elasticsearch sees of a list: what is in it, and in the lists in it."""
    if isinstance(value, list):
        for one in value:
            yield from _scalars(one)
    elif value is not None:
        yield value


def _refused(kind: str, value: Any) -> bool:
    """Whether a field of this type refuses a text, a number or a truth value. Types that are not ours take all."""
    if kind == "boolean":
        return value not in ("true", "false", "") if isinstance(value, str) else not isinstance(value, bool)
    if kind not in {*_BITS, "double", "float"}:
        return False
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        return True
    number = float(value or 0)
    return not math.isfinite(number) or (kind in _BITS and not -(2 ** _BITS[kind]) <= number < 2 ** _BITS[kind])
