"""The short ways that formats have for the commonest lines give what their general ways give."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from logintel.event import Event
from logintel.formats import Reading
from logintel.formats.access import AccessFormat
from logintel.formats.java import JavaFormat
from logintel.formats.patterns import PatternFormat

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
