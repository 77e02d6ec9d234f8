"""ruby: Ruby's Logger and Rails' request lines (https://docs.ruby-lang.org/en/master/Logger.html)."""

from __future__ import annotations

from typing import ClassVar

from logintel.formats.alternatives import compiled
from logintel.formats.patterns import PatternFormat


class RubyFormat(PatternFormat):
    name: ClassVar[str] = "ruby"
    begins = "DIWEFAUS"
    patterns = compiled(
        r"(?P<severity>[DIWEFAU]), \[(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(?:\.[0-9]+)?) #"
        r"(?P<pid>[0-9]+)\] +(?P<level>[A-Z]+) -- (?P<class_>[^:]*): (?:\[(?P<request_id>[0-9a-f-]{36})\] )?"
        r"(?P<message>.*)",
        r'(?P<message>Started (?P<http_method>[A-Z]+) "(?P<path>[^"]*)" for (?P<client_ip>[^ ]+) at '
        r"(?P<time>[0-9-]{10} [0-9:]{8} [+-][0-9]{4}).*)",
    )
