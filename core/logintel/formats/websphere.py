"""websphere: WebSphere Application Server's basic log: `[time] thread component type text`."""

from __future__ import annotations

from typing import ClassVar

from logintel.event import Level
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.timestamps import STAMP


class WebsphereFormat(PatternFormat):
    name: ClassVar[str] = "websphere"
    begins = "["
    #: Fatal, error, warning, audit, info, config, detail, entry, exit, fine ones; O and R are streams without a level.
    levels: ClassVar[dict[str, Level]] = {
        "F": "FATAL",
        "E": "ERROR",
        "W": "WARN",
        **dict.fromkeys("AIC", "INFO"),
        **dict.fromkeys("D123<>", "DEBUG"),
    }
    patterns = compiled(
        rf"\[(?P<time>{STAMP})\] (?P<thread>[0-9a-f]{{8}}) (?P<class_>[\w.$]+) +(?P<level>[A-Z<>1-3]) +(?:"
        rf"(?P<code>[A-Z]{{4,5}}[0-9]{{4}}[A-Z]): )?(?P<message>.*)"
    )
