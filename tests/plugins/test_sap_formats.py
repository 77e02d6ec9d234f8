"""What holds for every format of SAP's logs, whatever the text, and what their layouts leave to decide."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sap_records import audit_record

from logintel.encoder import Encoder
from logintel.event import PARSED_FIELDS, UNPARSED, Envelope, Event
from logintel.formats import Format, Reading, decode_records
from logintel_sap.icm_access import IcmAccessFormat
from logintel_sap.icm_logformat import NAMED, compiled
from logintel_sap.java_list import JavaListFormat
from logintel_sap.plugin import formats

READING = Reading(ZoneInfo("Europe/Berlin"), datetime(2026, 11, 22, tzinfo=UTC))
CLASSES = formats()

#: Beginnings that lead hypothesis into the formats.
SEEDS = (
    audit_record()[:116], "[Thr 1] Sun Mar 29 03:00:00:123 2026\n[Thr 1] ", "*** ERROR => ", "***LOG R19=> ", "LOCATION    a\nERROR       b\nRC   ",
    'trc file: "dev_w0", trc level: 1, release: "', "Error: Denied (-1), ", "C  *** WARNING => x [", "[Thr 2] 0x47a8b614 000000 ",
    "2026-03-29 03:00:00;indexserver;h;XY1;00;30003;", '2026-03-29 03:00:00;indexserver;h;XY1;00;30003;;;;;;;;;;;;;;;SUCCESSFUL;;;;;;"',
    "#2.0#2026 03 29 03:00:00:000#+0200#Error#/A#####", "#1.5 #a#1774746000123#a#b#c#d#e##n/a##f#g##0#0#Error##Plain###",
    "Mar 29, 2026 3:00:01 AM a.b.c [", "<!--LOGHEADER[START]/-->\n<!--A[", "S Sun Mar 29 2026 03:00:00:000 secinfo denied: USER=",
    "Sun Mar 29 03:00:00 2026 CONNECT FROM C1/- host ", '10.0.0.9 - - [29/Mar/2026:03:00:02 +0200] "', '[29/Mar/2026:03:00:02 +0200] 1 - - "GET /',
)  # fmt: skip
TEXTS = st.builds("{}{}".format, st.sampled_from(("", *SEEDS)), st.text(max_size=80))


def event_of(form: Format, record: str) -> Event:
    (event,), _ = decode_records(form, [record], READING)
    return event


@pytest.mark.parametrize("make", CLASSES, ids=lambda cls: cls.name)
@settings(max_examples=30, deadline=None)
@given(records=st.lists(TEXTS, max_size=4))
def test_any_text_is_at_least_one_event(make: type[Format], records: list[str]) -> None:
    events, numbers = decode_records(make(), records, READING)
    assert sorted(set(numbers)) == list(range(len(records)))
    for event, number in zip(events, numbers, strict=True):
        assert event.raw in records[number]
        assert event.level in {None, "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
        assert event.fields.keys() <= PARSED_FIELDS
        assert event.timestamp is None or len(event.timestamp) == 27
        Encoder(Envelope("s", {})).encode(event, "2026-11-22T00:00:00.000000Z", "record", "id")


HOSTILE = (
    "a" * 100_000, " " * 100_000, "a " * 50_000, "[" * 100_000, "[a] " * 25_000, '"' * 100_000, "\\" * 100_000, "#" * 100_000,
    "\\#" * 50_000, ";" * 100_000, '";' * 50_000, "k=v " * 25_000, "K=v, " * 20_000, "a." * 50_000, "<!--A[" * 16_000, "host " * 20_000,
    "[a 1] " * 16_000, "[a 1" + " " * 100_000, "C1/" * 33_000, '] "' * 33_000, "0 " * 50_000, "\n" * 100_000, "A  \n" * 25_000, "(" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("make", CLASSES, ids=lambda cls: cls.name)
def test_hostile_lines_take_linear_time(make: type[Format]) -> None:
    """100 KB lines that make careless patterns backtrack."""
    form = make()
    for seed in ("", *SEEDS):
        for text in HOSTILE:
            start = time.process_time()
            form.decode([seed + text], READING)
            assert time.process_time() - start < 0.5, (seed, text[:10])


def test_an_audit_message_is_filled_in_and_an_unknown_one_keeps_its_variables() -> None:
    form = CLASSES[0]()
    failed = event_of(form, audit_record("AU2", "A", "1"))
    assert (failed.level, failed.message) == ("WARN", "Logon failed (reason=1, type=A, method=)")
    started = event_of(form, audit_record("AUH"))
    assert started.message == started.metadata["title"] == "Application Server Stopped"
    unknown = event_of(form, audit_record("ZZ9", "made", "up"))
    assert (unknown.level, unknown.message, unknown.tags) == (None, "ZZ9 made&up", ["ZZ9"])
    assert unknown.metadata["variables"] == ["made", "up"]


def test_an_audit_record_keeps_its_fields_behind_characters_of_two_code_units() -> None:
    record = audit_record("AU3", "SE16", user="\U0001f600MADEUP    ")[:-1]
    assert len(record.encode("utf-16-le")) == 400
    event = event_of(CLASSES[0](), record)
    assert event.metadata["user"] == "\U0001f600MADEUP"
    assert event.metadata["transaction"] == "SE16"
    assert event.metadata["terminal"] == "terminal1"


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("20260329015959", "2026-03-29T00:59:59"),
        ("20260329030000", "2026-03-29T01:00:00"),
        ("20261025015959", "2026-10-24T23:59:59"),
        ("20261025023000", "2026-10-25T00:30:00"),  # stands for two moments: the first
        ("20261025030000", "2026-10-25T02:00:00"),
    ],
)
def test_stamps_are_of_the_servers_zone_around_a_change_of_clocks(local: str, utc: str) -> None:
    assert event_of(CLASSES[0](), audit_record(time=local)).timestamp == f"{utc}.000000Z"


def test_the_name_of_a_zone_is_the_servers_whichever_of_its_two_it_is() -> None:
    form = JavaListFormat()
    record = "#1.3#id#Mon Dec 01 22:00:00 {} 2003#c.A#c.A.b#main##0#0#Fatal##Plain###made up"
    assert event_of(form, record.format("CEST")).timestamp == "2003-12-01T21:00:00.000000Z"
    assert event_of(form, record.format("PST")).timestamp == "2003-12-02T06:00:00.000000Z"


def test_a_text_is_read_by_the_pattern_of_its_header() -> None:
    text = "Mar 29, 2026 3:00:01 AM <Warning> worker 1 | c.A.b | made up"
    assert event_of(JavaListFormat(), text).tags == [UNPARSED]
    event = event_of(JavaListFormat("%26d<%s> %15t | %l | %m"), text)
    assert (event.level, event.message) == ("WARN", "made up")
    assert event.fields == {"thread": "worker 1", "class": "c.A", "method": "b"}


def test_a_logformat_with_blanks_in_its_values_is_told_by_what_stands_between() -> None:
    form = IcmAccessFormat("%t %a Ua=%{user-agent}i Line=%r %s %L")
    event = event_of(form, "[29/Mar/2026:03:00:00 +0200] 10.0.0.9 Ua=made up (1; 2) Line=GET /a b HTTP/1.1 404 7")
    assert event.metadata == {
        "remote_ip": "10.0.0.9",
        "user_agent": "made up (1; 2)",
        "http_method": "GET",
        "path": "/a b",
        "protocol": "HTTP/1.1",
        "http_version": "1.1",
        "status": 404,
        "duration_ms": 7,
    }
    assert event.level == "WARN"


@pytest.mark.parametrize("name", NAMED)
def test_every_named_logformat_compiles(name: str) -> None:
    assert "time" in compiled(name.lower()).groupindex


@pytest.mark.parametrize(
    ("logformat", "said"), [("%h %s", "no LOGFORMAT"), ("%t %r %{a}i %{b}i %{c}i %s", "more than 2 parts")]
)
def test_a_logformat_that_cannot_be_read_says_why(logformat: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compiled(logformat)
