"""Every common stamp reads as one form, in the reading's zone and year; nothing raises."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel.formats import Reading
from logintel.timestamps import clock

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
IN_UTC = clock(Reading(ZoneInfo("UTC"), NOW))
IN_BERLIN = clock(Reading(ZoneInfo("Europe/Berlin"), NOW))
#: hypothesis wants its bounds without a zone.
EARLIEST, LATEST = (datetime.fromisoformat(day) for day in ("1971-01-01", "2099-12-31"))
FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Z"),
        ("2026-11-22 10:00:00,123", "2026-11-22T10:00:00.123000Z"),
        ("2026-11-22 10:00:00.123456789 +0100", "2026-11-22T09:00:00.123456Z"),
        ("2026-11-22T10:00:00.1+05:30", "2026-11-22T04:30:00.100000Z"),
        ("2026-11-22T10:00:00-08", "2026-11-22T18:00:00.000000Z"),
        ("2026-11-22 10:00:00 EST", "2026-11-22T15:00:00.000000Z"),
        ("2026/11/22 10:00:00", "2026-11-22T10:00:00.000000Z"),
        ("2026-11-22 10:00:00.5 CEST", "2026-11-22T08:00:00.500000Z"),
        ("Nov 22 10:00:00", "2026-11-22T10:00:00.000000Z"),
        ("Nov  2 10:00:00", "2026-11-02T10:00:00.000000Z"),
        ("10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36.000000Z"),
        ("Sun Nov 22 10:00:00 2026", "2026-11-22T10:00:00.000000Z"),
        ("Mon Jan 2 15:04:05 MST 2006", "2006-01-02T22:04:05.000000Z"),
        ("Tue Apr 04 06:18:29.712806 2017", "2017-04-04T06:18:29.712806Z"),
        ("Dec 30, 2020 11:30:40 AM", "2020-12-30T11:30:40.000000Z"),
        ("Dec 30, 2020 12:30:40 AM", "2020-12-30T00:30:40.000000Z"),
        ("28-Nov-2018 20:51:29.344", "2018-11-28T20:51:29.344000Z"),
        ("18 Jul 2025 19:08:05,257", "2025-07-18T19:08:05.257000Z"),
        ("Wed, 29 Aug 2018 11:53:11 GMT", "2018-08-29T11:53:11.000000Z"),
        ("Monday, 02-Jan-06 15:04:05 UTC", "2006-01-02T15:04:05.000000Z"),
        ("11/22/2026 10:00:00 PM", "2026-11-22T22:00:00.000000Z"),
        ("19/09/24 19:20:46", "2019-09-24T19:20:46.000000Z"),
        ("20261122 100000", "2026-11-22T10:00:00.000000Z"),
        ("20261122T100000.5Z", "2026-11-22T10:00:00.500000Z"),
        ("261122 10:00:00", "2026-11-22T10:00:00.000000Z"),
        ("11-22 10:00:00.123", "2026-11-22T10:00:00.123000Z"),
        ("1795341600", "2026-11-22T10:00:00.000000Z"),
        ("1795341600.25", "2026-11-22T10:00:00.250000Z"),
        ("1795341600123", "2026-11-22T10:00:00.123000Z"),
        ("1795341600123456", "2026-11-22T10:00:00.123456Z"),
        ("1795341600123456789", "2026-11-22T10:00:00.123456Z"),
        ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00.000000Z"),
    ],
)
def test_common_stamps(text: str, expected: str) -> None:
    assert IN_UTC.text(text) == expected
    assert IN_UTC.text(text) == expected, "what is remembered is the same"


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30 10:00:00", "2026-13-01 10:00:00", "Feb 30 10:00:00", "2026-11-22T25:00:00Z",
     "11/22/2026 13:00:00 PM", "12345", "2026-11-22", "0001-01-01T00:00:00+05:00", "2026-11-22T10:00:00Z and more"],
)  # fmt: skip
def test_what_is_no_moment_is_none(text: str) -> None:
    assert IN_UTC.text(text) is None


@pytest.mark.parametrize(
    ("text", "year"),
    [("Nov 23 11:59:59", 2026), ("Nov 23 12:00:01", 2025), ("Dec 31 23:59:59", 2025), ("Jan  1 00:00:00", 2026),
     ("Feb 29 10:00:00", 2024)],
)  # fmt: skip
def test_a_stamp_without_year_is_never_more_than_a_day_ahead(text: str, year: int) -> None:
    assert (IN_UTC.text(text) or "")[:4] == str(year)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-01 12:00:00", "2026-07-01T10:00:00.000000Z"),
        ("2026-12-01 12:00:00", "2026-12-01T11:00:00.000000Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00.000000Z"),  # twice that night: the first
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00.000000Z"),  # not at all: as if the clocks had not jumped yet
        ("2026-07-01 12:00:00Z", "2026-07-01T12:00:00.000000Z"),
    ],
)
def test_a_stamp_without_zone_is_in_the_readings(text: str, expected: str) -> None:
    assert IN_BERLIN.text(text) == expected


def test_numbers_are_told_apart_by_their_size() -> None:
    expected = "2026-11-22T10:00:00.500000Z"
    assert {IN_UTC.number(n) for n in (1795341600.5, 1795341600500, 1795341600500000)} == {expected}
    assert IN_UTC.number(17) is None
    assert IN_UTC.number(float("nan")) is None
    assert IN_UTC.number(-(10**30)) is None


def test_a_stamp_inside_a_line_is_found_with_its_end() -> None:
    found = IN_UTC.at("[2026-11-22 10:00:00,5 +0100] text", 1)
    assert found == ("2026-11-22T09:00:00.500000Z", 28)


@given(st.datetimes(EARLIEST, LATEST), st.integers(-14 * 60, 14 * 60))
def test_rfc3339_is_exact(moment: datetime, offset: int) -> None:
    sign = "-" if offset < 0 else "+"
    text = f"{moment:%Y-%m-%dT%H:%M:%S.%f}{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    assert IN_UTC.text(text) == f"{moment - timedelta(minutes=offset):%Y-%m-%dT%H:%M:%S.%f}Z"


@given(st.text(max_size=60) | st.from_regex(r"[0-9A-Za-z:/., +-]{1,40}", fullmatch=True))
def test_any_text_gives_a_stamp_or_none(text: str) -> None:
    stamp = IN_BERLIN.text(text)
    assert stamp is None or FORM.fullmatch(stamp)
