"""Heads: what a line starts with when it is a record of its own (a stamp, a level, a syslog priority, JSON)."""

from __future__ import annotations

import re
from typing import Final

_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LEVEL: Final = (
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|PANIC|FINE|FINER|FINEST)"
)
#: A date or a time of day.
_STAMP: Final = (
    r"(?:"
    r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![0-9])"  # 2024-01-31, 2024/1/31
    r"|[0-9]{1,2}[-/. ](?:[0-9]{1,2}|[A-Z][a-z]{2})[-/. ][0-9]{2,4}[ T:,]{1,2}[0-9]{1,2}[:.][0-9]{2}"  # 31/Jan/2024:10:00
    r"|[0-9]{2}:[0-9]{2}:[0-9]{2}(?![0-9])"  # 10:00:00
    r"|[0-9]{6} {1,2}[0-9]{1,2}:[0-9]{2}:[0-9]{2}"  # 240131 10:00:00 (old MySQL)
    r"|[0-9]{10}(?:[0-9]{3})?[. ,:\t\]]"  # seconds or milliseconds since 1970
    r"|" + _MONTH + r" {1,2}[0-9]{1,2},? (?:[0-9]{4},? )?[0-9]{1,2}:[0-9]{2}"  # Jan 31 10:00, Jan 31, 2024 10:00
    r"|" + _DAY + r",? (?:" + _MONTH + r"|[0-9]{1,2}) "  # Wed Jan 31, Wed, 31 Jan
    r")"
)
#: A stamp, or a level, or a syslog priority: what logs of lines begin each record with.
_MARK: Final = (
    r"(?:"
    r"[\[(\"<]?" + _STAMP + r"|\[ *[0-9]+\.[0-9]+s?\]"  # ...; seconds since start: kernel, JVM
    r"|\[?" + _LEVEL + r"(?:[\]:|,\t]| +[\[(|:-]?" + r"| *$)"
    r"|\[(?i:trace|debug|info|notice|warn|warning|error|fatal|critical|crit|alert|emerg)\]"
    r"|[A-Z][0-9]{4}(?:[0-9]{2})? [0-9]{2}:[0-9]{2}:"  # klog I0131 10:00:00, CockroachDB
    r"|<[0-9]{1,3}>"
    r")"
)
#: Begins a record, whatever came before.
HEAD: Final = re.compile(
    r"[ \t]*+(?:"
    + _MARK
    + r"|\{[\"']|\[\{[\"']|[0-9]{1,3}(?:\.[0-9]{1,3}){3}[ ,:]"
    + r"|(?:time|ts|t|timestamp|level|lvl|severity)=|CEF:[0-9]|LEEF:[0-9])"
)
#: Begins a record of a log whose records all begin so: lines without a head go on with it.
MARKED: Final = re.compile(r"[ \t]*+" + _MARK)
#: First of the two lines of java.util.logging's SimpleFormatter; the second begins with the level.
JUL: Final = re.compile(_MONTH + r" {1,2}[0-9]{1,2}, [0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M [^ ]+ [^ ]+ *$")
#: Signs, anywhere near the front, that a line without a head may still be a record in a form of its own.
FOREIGN: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}|" + r"\b" + _LEVEL + r"\b|^[^ =]{1,30}=[^ =]")
