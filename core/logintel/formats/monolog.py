"""monolog: PHP's Monolog line format, Laravel's and Symfony's: `[time] channel.LEVEL: text {context} [extra]`."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.timestamps import STAMP


class MonologFormat(PatternFormat):
    name: ClassVar[str] = "monolog"
    begins = "["
    patterns = compiled(rf"\[(?P<time>{STAMP})\] (?P<class_>[\w-]+)\.(?P<level>[A-Z]+): (?P<message>.*)")
