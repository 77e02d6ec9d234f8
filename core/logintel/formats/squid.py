"""squid: Squid's native access log (https://wiki.squid-cache.org/Features/LogFormat)."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat


class SquidFormat(PatternFormat):
    name: ClassVar[str] = "squid"
    begins = "0123456789"
    mentions = False
    patterns = compiled(
        r"(?P<message>(?P<time>[0-9]{10}\.[0-9]{3}) +(?P<elapsed_ms>-?[0-9]+) (?P<client_ip>[^ ]+) "
        r"(?P<result>[A-Z_]+)/(?P<status>[0-9]{3}) (?P<bytes>[0-9]+) "
        r"(?P<http_method>[^ ]+) (?P<url>[^ ]+) (?P<user>[^ ]+) (?P<hierarchy>[A-Z_]+)/(?P<server>[^ ]+)(?: "
        r"(?P<content_type>[^ ]+))?.*)",
    )
