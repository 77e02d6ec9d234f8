"""delimited: lines of cells whose first one is the time: Exchange, flow exports, CSV logs.

Cells end at a comma, tab, semicolon or bar; they have no names in such a line: they are metadata.cells, in order.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.facts import mention
from logintel.framing import EveryLine
from logintel.levels import level_of, put_level
from logintel.timestamps import STAMP, Clock, clock

_FIRST: Final = re.compile(rf'("?)({STAMP}|[0-9]{{10}}(?:\.[0-9]{{1,9}})?)\1(,(?! |[0-9]{{3}}[^0-9.,])|[\t;|])')
#: Fewer cells than this are a sentence that goes on after the time.
_CELLS: Final = 3


class DelimitedFormat(Format):
    name: ClassVar[str] = "delimited"

    def framer(self) -> Framer:
        return EveryLine()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    first = _FIRST.match(record)
    if first is None or (stamp := instant.text(first[2])) is None:
        return None
    cells = _cells(record[first.end() :], first[3])
    if len(cells) < _CELLS - 1:
        return None
    kept: list[Json] = [cell for cell in cells if cell]
    event = Event(record, record, stamp, metadata={"cells": kept}, format="delimited")
    for cell in cells[:6]:
        if (level := level_of(cell)) is not None:
            put_level(event, cell, level)
            break
    if first[3] == "|":
        event.message = cells[-1]
        mention(event)
    return event


def _cells(text: str, delimiter: str) -> list[str]:
    if '"' not in text:
        return [cell.strip() for cell in text.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([text.replace("\n", " ")], delimiter=delimiter), [])]
    except csv.Error:
        return [cell.strip() for cell in text.split(delimiter)]
