"""Mending takes nothing from a document: what was moved is in `overflow`, in the objects that it was in."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel_collector.stores.elasticsearch_fields import DYNAMIC, IndexFields
from logintel_collector.stores.elasticsearch_mend import MENDS, mended

NAMES = st.sampled_from(["a", "b", "code", "a.b", "a.b.c", "", " ", ".", "x" * 513, "y" * 9000, "n\0", "ä"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, width=32) | NAMES
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
FIELDS = st.recursive(
    st.sampled_from([{"type": kind} for kind in ("long", "double", "boolean", "keyword", "text")]),
    lambda inner: st.fixed_dictionaries({"properties": st.dictionaries(NAMES, inner, max_size=4)}),
    max_leaves=8,
)
REASONS = st.sampled_from(
    [
        "",
        "Limit of total fields [1000] has been exceeded while adding new fields [11]",
        "failed to parse field [metadata.code] of type [long] in document with id '1'.",
        "failed to parse field [metadata.a.b] of type [long] in document with id '1'.",
        "object mapping for [metadata] tried to parse field [metadata] as object, but found a concrete value",
        "failed to parse field [overflow] of type [flattened] in document with id '1'.",
        "Field name [xxx] is longer than the limit of [512] characters",
    ]
)


def together(one: Any, other: Any) -> Any:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return {**one, **{name: together(one[name], value) if name in one else value for name, value in other.items()}}


def restored(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what is in `overflow` back in its place."""
    overflow = document.pop("overflow", {})
    for text in overflow.pop("json", []):
        document = together(document, json.loads(text))
    return dict(together(document, overflow))


@settings(max_examples=50)
@given(
    document=st.fixed_dictionaries({"log_id": st.just("1")}, optional=dict.fromkeys((*DYNAMIC, "tags"), VALUES)),
    metadata=FIELDS,
    known=st.booleans(),
    reasons=st.lists(REASONS, min_size=1, max_size=MENDS),
)
def test_nothing_is_lost(document: dict[str, Any], metadata: dict[str, Any], known: bool, reasons: list[str]) -> None:
    fields = IndexFields({"metadata": {"properties": {}} | metadata}) if known else None
    body = orjson.dumps(document)
    for mends, reason in enumerate(reasons):
        after = mended(body, reason, mends, fields)
        if after is None:
            break
        body = after
    assert restored(orjson.loads(body)) == orjson.loads(orjson.dumps(document))


@settings(max_examples=30)
@given(overflow=VALUES, document=st.fixed_dictionaries({"metadata": VALUES}))
def test_somebody_elses_overflow_breaks_nothing(overflow: Any, document: dict[str, Any]) -> None:
    body = orjson.dumps({**document, "overflow": overflow})
    for mends in range(MENDS):
        body = mended(body, "failed to parse field [overflow]", mends, IndexFields({})) or body
    assert orjson.loads(body)


def test_what_cannot_be_read_is_left_to_be_refused() -> None:
    deep = b'{"metadata":' + b'{"n":' * 400 + b"1" + b"}" * 400 + b"}"
    for body in (b"{oops", b"[]", b"1", deep):
        assert mended(body, "", 0, None) is None
