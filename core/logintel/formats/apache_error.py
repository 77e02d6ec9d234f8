"""apache_error: the Apache HTTP Server's error log, 2.2 and 2.4 (https://httpd.apache.org/docs/2.4/logs.html#errorlog)."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat
from logintel.timestamps import STAMP

_CLIENT = r"\[client (?P<client_ip>[^ \]]*?)(?::(?P<client_port>[0-9]+))?\] "


class ApacheErrorFormat(PatternFormat):
    name: ClassVar[str] = "apache_error"
    begins = "["
    patterns = compiled(
        rf"\[(?P<time>{STAMP})\] \[(?:(?P<module>[\w-]*):)?(?P<level>[a-z]+[0-9]?)\] (?:\[pid (?P<pid>[0-9]+)"
        rf"(?::tid (?P<thread>[0-9]+))?\] )?"
        rf"(?:(?P<status>\((?P<status_code>[0-9]+)\)(?P<status_text>[^\[:]*?)):? (?=\[client|AH[0-9]))?"
        rf"(?:{_CLIENT})?(?:(?P<code>AH[0-9]+): )?(?P<message>.*)",
    )
