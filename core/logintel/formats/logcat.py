"""logcat: Android's log, layouts threadtime and time (https://developer.android.com/tools/logcat#outputFormat)."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.levels import LETTERS

_TIME = r"(?P<time>(?:[0-9]{4}-)?[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3,6})"


class LogcatFormat(PatternFormat):
    name: ClassVar[str] = "logcat"
    begins = "0123456789"
    levels = LETTERS
    patterns = compiled(
        rf"{_TIME} +(?P<pid>[0-9]+) +(?P<thread>[0-9]+) (?P<level>[VDIWEFA]) (?P<class_>[^:]*?) *: ?(?P<message>.*)",
        rf"{_TIME} (?P<level>[VDIWEFA])/(?P<class_>[^(]*?) *\( *(?P<pid>[0-9]+)\): (?P<message>.*)",
    )
