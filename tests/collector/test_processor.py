"""Records become documents; repeats fall out; whatever cannot be decoded is kept and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel.bus import Record, Stored
from logintel.event import Json
from logintel_collector.categories import category_of
from logintel_collector.document import Document
from logintel_collector.processor import AcceptedRange, Processor

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STREAM = b"s" * 16
Records = Callable[..., list[Stored]]
GOOD: dict[str, Any] = {
    "source_id": "0b0f9a0e-5b1c-5a35-9a3e-0d6d4c6f0b11",
    "log_id": "6b0f9a0e-5b1c-8a35-9a3e-0d6d4c6f0b11",
    "timestamp": "2026-11-21T10:00:00.000000Z",
    "level": "WARN",
    "message": "disk almost full",
    "raw_log": "Nov 21 10:00:00 web01 monit[12]: disk almost full",
    "tags": ["disk"],
    "parsed_fields": {"host": "web01"},
    "metadata": {"format": "syslog", "source": "syslog"},
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=6,
)


def processor(**options: Any) -> Processor:
    return Processor(lambda: NOW, **options)


def seq(number: int) -> bytes:
    return number.to_bytes(12, "big")


def stored(*values: bytes, stream: bytes = STREAM, first: int = 1) -> list[Stored]:
    return [Stored(n, Record(value, stream, seq(n))) for n, value in enumerate(values, first)]


def encoded(**changes: Any) -> bytes:
    return orjson.dumps(GOOD | changes)


def only(value: bytes) -> Document:
    done = processor().process(stored(value), {})
    assert not done.dead_letters
    return done.documents[0]


def test_a_document_has_exactly_the_index_fields() -> None:
    document = only(encoded(unknown_key="of a later version"))
    assert document.source == {
        **GOOD,
        "category": "system",
        "size_bytes": len(GOOD["raw_log"]),
        "latency_ms": 26 * 3600 * 1000,
        "processing_status": "processed",
        "created_at": "2026-11-22T12:00:00.000000Z",
    }
    assert orjson.loads(document.body) == document.source
    assert document.day == "2026.11.21"


def test_size_is_counted_in_bytes() -> None:
    assert only(encoded(raw_log="caf\u00e9")).source["size_bytes"] == 5


def test_every_sample_becomes_a_document(records: Records) -> None:
    batch = records(2000)
    done = processor().process(batch, {})
    assert [d.log_id for d in done.documents] == [orjson.loads(s.record.value)["log_id"] for s in batch]
    assert done.positions == {STREAM: batch[-1].record.seq}


def test_repeats_are_dropped_by_stream_and_seq() -> None:
    other = b"o" * 16
    batch = [
        *stored(encoded(), encoded(), first=5),
        *stored(encoded(), first=5),
        *stored(encoded(), stream=other, first=1),
    ]
    done = processor().process(batch, {STREAM: seq(5)})
    assert len(done.documents) == 2
    assert done.repeats == 2
    assert done.positions == {STREAM: seq(6), other: seq(1)}


def test_what_was_a_dead_letter_is_a_repeat_the_next_time() -> None:
    first = processor().process(stored(b"\xff"), {})
    again = processor().process(stored(b"\xff"), first.positions)
    assert (len(first.dead_letters), again.repeats, again.dead_letters) == (1, 1, [])


HOSTILE = [
    b"",
    b"not json",
    b"[]",
    b"\xff\xfe",
    b'{"log_id": "\\ud800"}',
    encoded(level="LOUD"),
    encoded(level=["INFO"]),
    encoded(level={}),
    encoded(message=5),
    encoded(tags="disk"),
    encoded(tags=[1]),
    encoded(metadata=[]),
    encoded(parsed_fields=None),
    encoded(timestamp="yesterday"),
    encoded(timestamp="2026-02-30T10:00:00.000000Z"),
    encoded(timestamp=0),
    encoded(raw_log=None),
    orjson.dumps(GOOD)[:-1] + b',"metadata":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}",
    orjson.dumps(GOOD)[:-1] + b',"metadata":' + b"[" * 100_000,
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_what_cannot_be_decoded_is_kept_and_stops_nothing(value: bytes) -> None:
    done = processor(config_version="abc").process(stored(encoded(), value, encoded()), {})
    assert len(done.documents) == 2
    (letter,) = done.dead_letters
    assert letter.original == value
    assert (letter.stage, letter.reason, letter.attempts, letter.config_version) == (
        "processor",
        "undecodable",
        1,
        "abc",
    )
    assert letter.error
    assert "disk almost full" not in letter.error


def test_dead_letters_have_the_same_id_at_every_replay_and_one_each() -> None:
    first, again = (processor().process(stored(b"a", b"b"), {}).dead_letters for _ in range(2))
    assert [letter.log_id for letter in first] == [letter.log_id for letter in again]
    assert first[0].log_id != first[1].log_id


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {f"field{n}": n for n in range(5000)}},
        {"raw_log": "a\0b", "message": "a\0b"},
        {"metadata": {"a": {"b": {"c": [1, [2, [3]]]}}}},
        {"level": None},
        {"raw_log": "", "message": ""},
    ],
    ids=["5000 fields", "NUL", "nested", "no level", "empty"],
)
def test_what_is_odd_but_right_becomes_a_document(changes: dict[str, Json]) -> None:
    document = only(encoded(**changes))
    assert {key: document.source[key] for key in changes} == changes


def test_the_least_that_another_producer_may_send() -> None:
    least = {key: GOOD[key] for key in ("source_id", "log_id", "raw_log")} | {"timestamp": "2026-11-21T11:00:00+01:00"}
    source = only(orjson.dumps(least)).source
    assert source["timestamp"] == "2026-11-21T10:00:00.000000Z"
    assert (source["message"], source["level"], source["tags"], source["metadata"]) == (GOOD["raw_log"], None, [], {})


@given(
    st.lists(
        st.binary(max_size=40)
        | JSON.map(orjson.dumps)
        | st.dictionaries(st.sampled_from(sorted(GOOD)), JSON).map(lambda c: encoded(**c))
    )
)
def test_every_record_is_a_document_or_a_dead_letter(values: list[bytes]) -> None:
    done = processor().process(stored(*values), {})
    assert len(done.documents) + len(done.dead_letters) == len(values)
    assert all(len(document.timestamp) == 27 for document in done.documents)
    assert all(orjson.loads(document.body)["log_id"] == document.log_id for document in done.documents)


@pytest.mark.parametrize(
    ("timestamp", "day"),
    [
        ("2026-11-23T11:59:59.999999Z", "2026.11.23"),
        ("2026-11-24T00:00:00.000000Z", None),
        ("2026-11-15T00:00:00.000000Z", "2026.11.15"),
        ("2026-11-14T23:59:59.999999Z", None),
        ("0001-01-01T00:00:00.000000Z", None),
    ],
)
def test_days_outside_the_accepted_range_are_outliers(timestamp: str, day: str | None) -> None:
    accepted = AcceptedRange(past=timedelta(days=7), future=timedelta(days=1))
    (document,) = processor(accepted=accepted).process(stored(encoded(timestamp=timestamp)), {}).documents
    assert document.day == day


def test_an_accepted_range_may_be_without_end() -> None:
    accepted = AcceptedRange(past=timedelta.max, future=timedelta.max)
    (document,) = (
        processor(accepted=accepted).process(stored(encoded(timestamp="0001-01-01T00:00:00.000000Z")), {}).documents
    )
    assert document.day == "0001.01.01"


@pytest.mark.parametrize(
    ("metadata", "category"),
    [
        ({"category": "audit", "format": "syslog"}, "audit"),
        ({"format": "access", "source_type": "application"}, "access"),
        ({"format": "mysql_slow"}, "database"),
        ({"format": "json", "source_type": "application"}, "application"),
        ({"format": "json", "source_type": "orders"}, None),
        ({"category": 5}, None),
        ({}, None),
    ],
)
def test_category(metadata: dict[str, Json], category: str | None) -> None:
    assert category_of(metadata) == category
