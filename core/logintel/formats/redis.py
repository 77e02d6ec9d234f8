"""redis: Redis's and Valkey's log (server.c, serverLogRaw), Sentinel's, and MONITOR's output."""

from __future__ import annotations

from typing import ClassVar

from logintel.event import Level
from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat

_TIME = r"(?P<time>[0-9]{1,2} [A-Z][a-z]{2} (?:[0-9]{4} )?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)"


class RedisFormat(PatternFormat):
    name: ClassVar[str] = "redis"
    begins = "0123456789["
    #: The levels' marks: debug, verbose, notice, warning.
    levels: ClassVar[dict[str, Level]] = {".": "DEBUG", "-": "DEBUG", "*": "INFO", "#": "WARN"}
    patterns = compiled(
        rf"\[?(?P<pid>[0-9]+)(?::(?P<role>[XCSM]))?\]? {_TIME} (?P<level>[-.*#]) (?P<message>.*)",
        r"(?P<time>[0-9]{10}\.[0-9]{6}) \[(?P<database>[0-9]+) (?P<client_ip>[^ \]]*?)(?::"
        r'(?P<client_port>[0-9]+))?\] (?P<message>"(?P<command>[^"]*)"(?: (?P<arguments>.*))?)',
    )
