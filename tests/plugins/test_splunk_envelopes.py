"""Envelopes and times: whatever is sent, however it is put together."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hec_collector import TOKEN, Collecting, run
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logintel_splunk.answers import Refusal
from logintel_splunk.envelopes import envelopes
from logintel_splunk.epoch import stamp_of

TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
EVENTS = VALUES.filter(lambda value: value not in (None, "", {}))
#: What bodies are made of, in any order.
PIECES = ("{", "}", '"event"', '"x"', ":", ",", "1", '"a"', "{}", "[1]", " ", "\n", '{"event":1}', '{"event":"}{"}')
BLANKS = st.text(alphabet=" \t\r\n", max_size=3)
INDENTS = st.sampled_from([None, 0, 2])


@settings(max_examples=50)
@given(st.lists(st.tuples(EVENTS, TEXT, INDENTS, st.booleans(), BLANKS), max_size=6), BLANKS)
def test_objects_one_after_another_are_found_whatever_is_in_them(
    parts: list[tuple[object, str, int | None, bool, str]], first: str
) -> None:
    body = first + "".join(
        json.dumps({"x": [source], "event": event, "source": source}, indent=indent, ensure_ascii=ascii_only) + blanks
        for event, source, indent, ascii_only, blanks in parts
    )
    records = list(envelopes(body, frozenset()))
    assert [record.value for record in records] == [event for event, *_ in parts]
    assert [record.said.source for record in records] == [source or None for _, source, *_ in parts]
    for record in records:
        assert record.raw == record.value if isinstance(record.value, str) else json.loads(record.raw) == record.value


def expected(body: str) -> tuple[list[object], int | None]:
    """The events up to the first bad object, and its number, as the standard library's parser sees them."""
    decoder, place, events = json.JSONDecoder(), 0, list[object]()
    while body[place:].strip(" \n"):
        place += len(body[place:]) - len(body[place:].lstrip(" \n"))
        try:
            value, place = decoder.raw_decode(body, place)
        except json.JSONDecodeError:
            return events, len(events)
        if not isinstance(value, dict) or value.get("event") in (None, "", {}):
            return events, len(events)
        events.append(value["event"])
    return events, None


@given(st.text(alphabet='{}[]",:\\ \nevent10tru\x00', max_size=40) | st.lists(st.sampled_from(PIECES)).map("".join))
@example('{"event":"a"}{"event":"b"')
@example('{"event":"a"\x00}')
def test_what_is_taken_is_what_a_json_parser_takes(body: str) -> None:
    """Up to the first bad one, and that one is named."""
    found, bad = [], None
    try:
        for record in envelopes(body, frozenset()):
            found.append(record.value)  # noqa: PERF401 - what came before the bad one counts
    except Refusal as refused:
        bad = json.loads(refused.answer.body)["invalid-event-number"]
    assert (found, bad) == expected(body)


def test_it_does_not_matter_how_the_body_is_cut_into_packets() -> None:
    events = [f"a {n} }}{{ \u00e4\u20ac" for n in range(20)]
    body = "".join(json.dumps({"event": event}, ensure_ascii=False) for event in events).encode()

    async def work(running: Collecting) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        head = f"POST /services/collector HTTP/1.1\r\nHost: x\r\nAuthorization: Splunk {TOKEN}\r\n"
        for size in (1, 7, 100):
            for chunked in (False, True):
                kind = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
                sent = f"{head}{kind}\r\n\r\n".encode()
                pieces = [body[start : start + size] for start in range(0, len(body), size)]
                for piece in [sent, *(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece for piece in pieces)]:
                    writer.write(piece)
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n" if chunked else b"")
                async with asyncio.timeout(60):
                    assert (await reader.readuntil(b'"code":0}')).startswith(b"HTTP/1.1 200")
        writer.close()

    assert run(work).texts == events * 6


@given(st.integers(0, 13_569_465_599), st.integers(0, 999_999))
@settings(max_examples=50)
def test_seconds_are_kept_to_the_microsecond_as_text_and_number(second: int, micro: int) -> None:
    expected = datetime.fromtimestamp(second, UTC).replace(microsecond=micro).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert stamp_of(f"{second}.{micro:06}") == expected
    assert stamp_of(second) == f"{expected[:20]}000000Z"
    if 253_403 <= second < 10**10:  # below it milliseconds are meant, above it no nanoseconds
        assert stamp_of(second * 1_000_000_000 + micro * 1000) == expected


@pytest.mark.parametrize("value", [-1, -0.5, "", "x", "1e9", True, [], {}, 1e300, "99999999999999999999", 10**18 * 999])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        stamp_of(value)  # type: ignore[arg-type]
