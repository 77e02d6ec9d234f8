"""What holds for every built-in format, whatever the text: one entry a record, raw kept, nothing raised, linear time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.encoder import Encoder
from logintel.event import PARSED_FIELDS, Envelope
from logintel.formats import Format, Reading, decode_records
from logintel.formats.builtin import formats

READING = Reading(ZoneInfo("UTC"), datetime(2026, 11, 22, tzinfo=UTC))
CLASSES = formats()
LEVELS = {None, "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

#: Beginnings that lead hypothesis into the formats.
SEEDS = (
    '10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "', "<13>1 2026-11-22T10:00:00Z host app - - - ",
    "<13>Nov 22 10:00:00 host app[1]: ", '{"level":"info","msg":', '{"time":{"$date":', '{"log":"', "level=info msg=",
    "2026-11-22 10:00:00,123 [main] INFO  a.B - ", "2026-11-22 10:00:00,123 - a - INFO - ", "[2026-11-22 10:00:00] [info] ",
    "I1122 10:00:00.123456 1 a.go:1] ", "CEF:0|a|b|c|d|e|5|", "LEEF:2.0|a|b|c|d|^|", "#Fields: date time cs-method",
    "type=SYSCALL msg=audit(1795341600.123:1): ", "# Time: 2026-11-22T10:00:00Z\n# User@Host: ", "2026-11-22T10:00:00Z stdout F ",
    "Nov 22, 2026 10:00:00 AM a.B c\nINFO: ", "kernel: IN=eth0 OUT= MAC=", "1795341600.123 1 10.0.0.1 TCP_MISS/200 1 GET ",
    "2026-11-22 10:00:00,a,b,", "user 'x' from [10.0.0.1]:22 ",
)  # fmt: skip
TEXTS = st.builds("{}{}".format, st.sampled_from(("", *SEEDS)), st.text(max_size=80))


@pytest.mark.parametrize("make", CLASSES, ids=lambda cls: cls.name)
@settings(max_examples=30, deadline=None)
@given(records=st.lists(TEXTS, max_size=4))
def test_any_text(make: type[Format], records: list[str]) -> None:
    events, numbers = decode_records(make(), records, READING)
    assert sorted(set(numbers)) == list(range(len(records)))
    for event, number in zip(events, numbers, strict=True):
        assert event.raw == records[number]
        assert event.format in {cls.name for cls in CLASSES}
        assert event.level in LEVELS
        assert event.fields.keys() <= PARSED_FIELDS
        assert event.timestamp is None or len(event.timestamp) == 27
        Encoder(Envelope("s", {})).encode(event, "2026-11-22T00:00:00.000000Z", "record", "id")


@pytest.mark.parametrize("make", CLASSES, ids=lambda cls: cls.name)
def test_decode_answers_every_record_and_only_those(make: type[Format]) -> None:
    assert make().decode([], READING) == []
    assert len(make().decode(["", " ", "\n", "\x00", "\ud800", *SEEDS], READING)) == 5 + len(SEEDS)


HOSTILE = (
    "a" * 100_000, " " * 100_000, "a " * 50_000, "[" * 100_000, "[a] " * 25_000, '"' * 100_000, "\\" * 100_000, "a=" * 50_000,
    'a="' * 33_000, "k=v " * 25_000, "{" * 100_000, "1." * 50_000, ":" * 100_000, "1:" * 50_000, "|" * 100_000, "'a" * 50_000,
    ", a=" * 25_000, "- " * 50_000, "=" * 100_000, "INFO " * 20_000, "\n" * 100_000, "a.b" * 33_000, "(" * 100_000, "a@" * 50_000,
)  # fmt: skip


@pytest.mark.parametrize("make", CLASSES, ids=lambda cls: cls.name)
def test_hostile_lines_take_linear_time(make: type[Format]) -> None:
    """100 KB lines that make careless patterns backtrack; doubling one must not make it four times as slow."""
    format_ = make()
    for seed in ("", *SEEDS):
        for text in HOSTILE:
            start = time.process_time()
            format_.decode([seed + text], READING)
            assert time.process_time() - start < 0.5, (seed, text[:10])


def test_a_record_of_another_format_is_an_event_all_the_same() -> None:
    json = next(cls for cls in CLASSES if cls.name == "json")()
    (good, bad), numbers = decode_records(json, ['{"level":"warn","msg":"low"}', "{broken"], READING)
    assert list(numbers) == [0, 1]
    assert (good.level, good.message, good.tags) == ("WARN", "low", [])
    assert (bad.raw, bad.message, bad.tags) == ("{broken", "{broken", ["_unparsed"])
    assert "json" in str(bad.metadata["parse_error"])
