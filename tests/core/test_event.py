"""The event's codec: whatever a source makes of a log, what is sent can be read back and says the same."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel.encoder import Encoder
from logintel.event import Envelope, Event, Json, decode
from logintel.identity import identify

STAMP = "2026-11-22T10:00:00.000000Z"
LOG_ID = identify(b"0123456789abcdef", [(0, 7)]).log_ids[0]
ENVELOPE = Envelope("5a2b", {"source": "shop", "source_type": "application", "host": "web1"}, ("eu",))

TEXT = st.text(st.characters(exclude_categories=[]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.builds(
    Event,
    raw=TEXT,
    message=TEXT,
    level=st.sampled_from([None, "INFO", "ERROR"]),
    fields=st.dictionaries(st.sampled_from(["host", "thread", "line_number"]), st.integers(0, 10**6) | TEXT),
    metadata=st.dictionaries(TEXT, JSON, max_size=4),
    tags=st.lists(TEXT, max_size=3),
    format=st.just("plain"),
)


def encoded(event: Event) -> bytes:
    return Encoder(ENVELOPE).encode(event, STAMP, "record", LOG_ID)


def visible(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@given(EVENTS)
def test_any_event_survives_the_wire(event: Event) -> None:
    body = decode(encoded(event))
    assert body["raw_log"] == visible(event.raw)
    assert body["message"] == visible(event.message or event.raw)
    assert body["tags"] == ["eu", *map(visible, event.tags)]
    assert (body["log_id"], body["timestamp"], body["level"]) == (LOG_ID, STAMP, event.level)
    assert isinstance(body["metadata"], dict)
    assert set(map(visible, event.metadata)) <= body["metadata"].keys()


@pytest.mark.parametrize("depth", [90, 250, 1000, 20_000])
def test_what_is_nested_too_deeply_is_left_out_and_stops_nothing(depth: int) -> None:
    """One such line stopped its source: what cannot be encoded was read and tried again for ever."""
    deep: Json = "bottom"
    for _ in range(depth):
        deep = [{"a": deep}]
    body = decode(encoded(Event("the line", metadata={"deep": deep, "beside": 1})))
    assert isinstance(body["metadata"], dict)
    assert (body["raw_log"], body["metadata"]["beside"]) == ("the line", 1)
    assert (b"bottom" in orjson.dumps(body)) == (depth == 90)


@given(EVENTS)
def test_what_the_agent_knows_wins_and_what_a_log_claims_is_kept_beside_it(event: Event) -> None:
    event.metadata |= {"source": "forged", "timestamp_from": "forged"}
    metadata = decode(Encoder(ENVELOPE).encode(event, STAMP, "previous", LOG_ID))["metadata"]
    assert isinstance(metadata, dict)
    assert (metadata["source"], metadata["timestamp_from"]) == ("shop", "previous")
    assert (metadata["record_source"], metadata["record_timestamp_from"]) == ("forged", "forged")


@given(st.binary(max_size=60) | st.builds(orjson.dumps, st.dictionaries(st.text(), st.integers(0, 9) | st.text())))
def test_what_is_no_event_is_refused_with_a_reason(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(value)


def test_a_reader_ignores_what_it_does_not_know() -> None:
    value = orjson.loads(encoded(Event("x"))) | {"added_later": 1}
    assert decode(orjson.dumps(value))["raw_log"] == "x"


def test_what_goes_without_saying_is_not_sent_and_is_there_when_read() -> None:
    value = encoded(Event("no such order"))
    assert orjson.loads(value).keys() == {"log_id", "timestamp", "raw_log", "source_id", "tags", "metadata"}
    body = decode(value)
    assert (body["message"], body["level"], body["parsed_fields"]) == ("no such order", None, {})


@given(EVENTS, st.dictionaries(TEXT, JSON, max_size=4))
def test_what_events_share_is_as_if_each_said_it(event: Event, shared: dict[str, Json]) -> None:
    metadata = decode(Encoder(ENVELOPE, shared).encode(event, STAMP, "record", LOG_ID))["metadata"]
    assert isinstance(metadata, dict)
    assert set(map(visible, shared)) <= metadata.keys()
