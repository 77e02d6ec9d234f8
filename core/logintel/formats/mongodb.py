"""mongodb: MongoDB's text log, 3.0 to 4.2 (later ones write JSON)."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.levels import LETTERS


class MongodbFormat(PatternFormat):
    name: ClassVar[str] = "mongodb"
    begins = "0123456789"
    levels = LETTERS | dict.fromkeys(("D1", "D2", "D3", "D4", "D5"), "DEBUG")
    patterns = compiled(
        r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}(?:Z|[+-][0-9:]{4,5})) (?P<level>[FEWID][1-5]?)"
        r" +(?P<component>[A-Z_]+|-) +(?:\[(?P<context>[^\]]+)\] )?(?P<message>.*)",
    )
