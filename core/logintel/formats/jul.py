"""jul: java.util.logging's SimpleFormatter, which spreads a record over two lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.patterns import follow
from logintel.framing import StackTraces
from logintel.levels import ANY, level_of, put_level
from logintel.timestamps import STAMP, Clock, clock

_RECORD: Final = re.compile(rf"({STAMP}) ([\w.$]+)(?: ([\w<>$]+))?\r?\n({ANY}): ([^\n]*)(?:\n(.*))?", re.DOTALL)


class JulFormat(Format):
    name: ClassVar[str] = "jul"

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    match = _RECORD.match(record)
    if match is None or (stamp := instant.text(match[1])) is None:
        return None
    event = Event(record, match[5], stamp, fields={"class": match[2]}, format="jul")
    if match[3]:
        event.fields["method"] = match[3]
    put_level(event, match[4], level_of(match[4]))
    return follow(event, match[6] or "")
