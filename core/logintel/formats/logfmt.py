"""logfmt: key=value pairs and nothing else (logrus, go-kit, slog's text handler, Heroku)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from logintel.event import Event
from logintel.formats import Decoded, Framer, Reading
from logintel.formats.json import JsonFormat
from logintel.formats.pairs import unescape
from logintel.framing import EveryLine
from logintel.timestamps import Clock, clock

_KEY: Final = r"[A-Za-z_@][\w.@/-]*"
#: One pair after another up to the end; each part starts where the last one ended, so the work is linear.
_PAIR: Final = re.compile(rf"""({_KEY})(?:=(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s"]*)))?(?:,? +|,?$)""")


class LogfmtFormat(JsonFormat):
    """Pairs are read as the members of a flat JSON object, so that both know the same names."""

    name: ClassVar[str] = "logfmt"

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [self.event_of(record, instant) for record in records]

    def event_of(self, record: str, instant: Clock) -> Event | None:
        body = members(record)
        return self.event(record, body, instant) if body else None


def members(record: str) -> dict[str, Any] | None:
    """The pairs; None where something else stands between them, or where no `=` makes the first one a pair."""
    text = record.strip()
    if (first := re.match(rf"{_KEY}=", text)) is None or first.end() == len(text):
        return None
    found: dict[str, Any] = {}
    place, end, bare = 0, len(text), 0
    while place < end:
        match = _PAIR.match(text, place)
        if match is None:
            return None
        key, quoted, value = match.groups()
        if quoted is None and value is None:
            bare += 1
        found.setdefault(key, unescape(quoted) if quoted is not None else value if value is not None else True)
        place = match.end()
    return found if bare * 2 <= len(found) else None
