"""hana: SAP HANA's traces: `[thread]{connection}[transaction/update] time level component File.cpp(line) : text`."""

from __future__ import annotations

from typing import ClassVar

from logintel.event import Level
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.levels import LETTERS


class HanaFormat(PatternFormat):
    name: ClassVar[str] = "hana"
    begins = "["
    #: d debug, i info, w warning, e error, f fatal (SAP HANA Administration Guide, traces).
    levels: ClassVar[dict[str, Level]] = {letter.lower(): level for letter, level in LETTERS.items()}
    patterns = compiled(
        r"\[(?P<thread>[0-9]+)\]\{(?P<connection>-?[0-9]+)\}\[(?P<transaction>-?[0-9]+)/"
        r"(?P<update_transaction>-?[0-9]+)\] "
        r"(?P<time>[0-9-]{10} [0-9:]{8}\.[0-9]{6}) (?P<level>[a-z]) (?P<class_>[^ ]+) +(?P<file>[^ (]+)\("
        r"(?P<line_number>[0-9]+)\) : (?P<message>.*)",
    )
