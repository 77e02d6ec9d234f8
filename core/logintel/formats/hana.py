"""hana: SAP HANA's traces: `[thread]{connection}[transaction/update] time level component File.cpp(line) : text`."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from logintel.event import Event, Level
from logintel.formats import Framer
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.framing import StartPattern
from logintel.levels import LETTERS
from logintel.timestamps import Clock

_START: Final = re.compile(r"\[[0-9]+\]\{-?[0-9]+\}\[")
#: The frames of a stack, behind the line that announces them.
_STACK: Final = re.compile(r"^ {0,3}[0-9]{1,4}: 0x[0-9a-f]+ ", re.MULTILINE)


class HanaFormat(PatternFormat):
    name: ClassVar[str] = "hana"
    begins = "["
    #: d debug, i info, w warning, e error, f fatal (SAP HANA Administration Guide, traces).
    levels: ClassVar[dict[str, Level]] = {letter.lower(): level for letter, level in LETTERS.items()}
    patterns = compiled(
        # -1 stands for none
        r"\[(?P<thread>[0-9]+)\]\{(?:-1|(?P<connection>[0-9]+))\}\[(?:-1|(?P<transaction>[0-9]+))/"
        r"(?:-1|(?P<update_transaction>[0-9]+))\] "
        r"(?P<time>[0-9-]{10} [0-9:]{8}\.[0-9]{6}) (?P<level>[a-z]) (?P<class_>[^ ]+) +(?P<file>[^ (]+)\("
        r"(?P<line_number>[0-9]+)\) : (?P<message>.*)",
    )

    def framer(self) -> Framer:
        return StartPattern(_START)

    def _decode(self, record: str, instant: Clock) -> Event | None:
        event = super()._decode(record, instant)
        if event is not None and (stack := _STACK.search(record)):
            event.fields["stack_trace"] = record[stack.start() :]
        return event
