"""The short ways that formats have for the commonest lines give what their general ways give."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel.encoder import Encoder
from logintel.event import Envelope, Event, decode
from logintel.formats import Format, Reading, decode_records, write_records
from logintel.formats.access import AccessFormat
from logintel.formats.auto import AutoFormat
from logintel.formats.java import JavaFormat
from logintel.formats.json import JsonFormat
from logintel.formats.patterns import PatternFormat
from logintel.identity import counted, identify
from logintel.written import timestamp_of

READING = Reading(UTC, datetime(2026, 3, 3, tzinfo=UTC))
JAVA = (
    "2026-03-02 08:00:00.020 INFO  [http-nio-8080-exec-13] com.example.shop.CheckoutService - order accepted",
    "2026-03-02T08:00:00,020 [main] ERROR c.e.App: could not place order for user 'x' from 10.0.0.1",
    "2026-03-02 08:00:00,020 WARN [a] c.e.App.run - failed\njava.lang.IllegalStateException: no\n\tat c.e.App.run(App.java:4)",
)
ACCESS = (
    '10.0.0.1 - - [02/Mar/2026:08:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 512 "-" "curl/8.0"',
    '10.0.0.1 - bob [02/Mar/2026:08:00:00 +0000] "POST /a HTTP/1.0" 404 - "https://shop.example/" "Mozilla/5.0 (X11)"',
)
JSON = (
    (
        '{"timestamp":"2026-03-02T08:00:00.020Z","level":"INFO","logger":"c.e.App","thread":"main","message":"accepted",'
        '"trace_id":"5b8efff798038103","order":{"id":7,"total":12.50,"currency":"EUR"},"ok":true,"note":null}'
    ),
    '{"ts": "2026-03-02 08:00:00,020", "level": "WARN", "msg": "low", "lineno": 42, "source": "x", "n": -1, "more": {}}',
    '{"time":1772438400.02,"severity":"error","message":"no","tags":["a","b"]}',
)


class General(JavaFormat):
    """Without the short way."""

    _decode = PatternFormat._decode


@st.composite
def damaged(draw: st.DrawFn, lines: tuple[str, ...], pieces: str) -> str:
    """A line with some characters replaced, taken out or put in."""
    text = list(draw(st.sampled_from(lines)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, min(110, len(text) - 1)))
        text[place : place + draw(st.integers(0, 1))] = draw(st.sampled_from(["", *pieces]))
    return "".join(text)


@given(damaged(JAVA, ' []-:"\n\r.(|0A'))
def test_java(line: str) -> None:
    assert JavaFormat().decode([line], READING) == General().decode([line], READING)


@given(damaged(ACCESS, ' "[]-\\?0A/\n'))
def test_access(line: str) -> None:
    """One more word behind a line takes it the general way, which notes the word and says the rest as ever."""
    (event,) = AccessFormat().decode([line], READING)
    (longer,) = AccessFormat().decode([f"{line} more"], READING)
    if isinstance(event, Event) and isinstance(longer, Event) and line.count('"') == 6 and line.endswith('"'):
        extra = event.metadata.get("extra", [])
        assert isinstance(extra, list)
        assert longer.metadata == {**event.metadata, "extra": [*extra, "more"]}
        assert longer.timestamp == event.timestamp


ENVELOPE = Envelope("5a2b", {"source": "shop", "host": "web1"}, ("eu",))
CLASHING = Envelope("5a2b", {"source": "shop", "status": 1, "logger": "x", "order": "y"})


@given(
    st.sampled_from([AccessFormat, JavaFormat, JsonFormat, AutoFormat]),
    st.lists(damaged((*ACCESS, *JAVA, *JSON), ' []-:"\n\r.(|0A\\é{}'), max_size=4),
    st.sampled_from([ENVELOPE, CLASHING]),
)
def test_what_a_format_writes_is_what_it_decodes(make: type[Format], lines: list[str], envelope: Envelope) -> None:
    encoder = Encoder(envelope, {"log_file": "/var/log/x.log"})
    log_ids = identify(b"s" * 16, counted(0, lines)).log_ids
    written = write_records(make(), lines, log_ids, READING, encoder)
    events, numbers = decode_records(make(), lines, READING)
    assert list(numbers) == [
        number for number, entry in enumerate(written) for _ in ([1] if type(entry) is bytes else entry)
    ]
    for event, number in zip(events, numbers, strict=True):
        entry = written[number]
        if not isinstance(entry, bytes):
            assert event in entry
            continue
        assert event.timestamp is not None
        assert timestamp_of(entry) == event.timestamp
        assert decode(entry) == decode(encoder.encode(event, event.timestamp, "record", log_ids[number]))


@pytest.mark.parametrize(("make", "line"), [(AccessFormat, ACCESS[0]), (JavaFormat, JAVA[0]), (JsonFormat, JSON[0])])
def test_common_lines_are_written(make: type[Format], line: str) -> None:
    """The second time at the latest: a format may have to see one first."""
    log_ids = identify(b"s" * 16, counted(0, "ab")).log_ids
    entries = make().write([line, line], log_ids, READING, Encoder(ENVELOPE))
    assert isinstance(entries[1], bytes)


def test_a_stamp_that_ends_with_its_minutes_stops_nothing() -> None:
    """It is read where it is the whole value; where something stands behind it, the text stays as it is."""
    lines = ['{"ts": "2026-03-02 08:00", "msg": "low"}', '{"ts": "2026-03-02 08:00 :00,020", "msg": "low"}']
    stamps = [event.timestamp for event in JsonFormat().decode(lines, READING) if isinstance(event, Event)]
    assert stamps == ["2026-03-02T08:00:00.000000Z", None]
