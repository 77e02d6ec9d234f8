"""Fitting: a document that is too long for the bus, cut and marked as the agent does with events."""

from __future__ import annotations

from typing import Final

import orjson

from logintel.event import Json
from logintel_collector.document import Document

#: Tag of a document whose texts were cut.
CUT: Final = "_cut"


def fitted(document: Document, limit: int) -> Document:
    """`document`, or when its body is above `limit` bytes one whose texts are cut so that it is not.

    Metadata is left out when cutting texts does not do. Raises ValueError when not even that does.
    """
    if len(document.body) <= limit:
        return document
    source = document.source
    marked = {"cut_from": len(document.body)}
    for metadata in (source["metadata"], {}):
        assert isinstance(metadata, dict)
        keep = limit // 4
        while keep:
            cut: dict[str, Json] = {name: _cut(value, keep) for name, value in source.items()}
            cut |= {"metadata": {**metadata, **marked}, "tags": [*_texts(source["tags"]), CUT]}
            cut["parsed_fields"] = {name: _cut(value, keep) for name, value in _members(source["parsed_fields"])}
            body = orjson.dumps(cut)
            if len(body) <= limit:
                return Document(cut, body, document.day)
            keep //= 2
    raise ValueError(f"does not fit into {limit} bytes, even without its texts and metadata")


def _cut(value: Json, keep: int) -> Json:
    return value[:keep] if isinstance(value, str) else value


def _texts(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value


def _members(value: Json) -> list[tuple[str, Json]]:
    assert isinstance(value, dict)
    return list(value.items())
