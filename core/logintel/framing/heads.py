"""Heads: what a line starts with when it is a record of its own (a stamp, a level, a syslog priority, JSON).

Each line is matched here once, so alternatives begin with one character or class: the rest is tried only where it fits.
"""

from __future__ import annotations

import re
from typing import Final

_LEVELS: Final = (
    *("INFO", "WARN", "WARNING", "ERROR", "DEBUG", "TRACE", "NOTICE", "SEVERE", "FATAL", "CRIT", "CRITICAL"),
    *("ALERT", "EMERG", "PANIC", "FINE", "FINER", "FINEST"),
)
_LEVEL: Final = rf"(?:{'|'.join(_LEVELS)})"
_LEVEL_ANY_CASE: Final = r"(?i:info|warn|error|debug|trace|notice|fatal|crit|alert|emerg)"
#: A date or a time of day, from its first digit on.
_DIGITS: Final = (
    r"[0-9](?:"
    r"[0-9]{3}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![0-9])"  # 2024-01-31, 2024/1/31
    r"|[0-9]:[0-9]{2}:[0-9]{2}(?![0-9])"  # 10:00:00
    # 31/Jan/2024:10:00, 31.01.24 10:00, 31-Jan 10:00
    r"|[0-9]?[-/. ](?:[0-9]{1,2}|[A-Z][a-z]{2})(?:[-/. ][0-9]{2,4})?[ T:,]{1,2}[0-9]{1,2}[:.][0-9]{2}"
    r"|[0-9]{5} {1,2}[0-9]{1,2}:[0-9]{2}:"  # 240131 10:00:00 (old MySQL)
    r"|[0-9]{9}(?:[0-9]{3})?[. ,:\t\]]"  # seconds or milliseconds since 1970
    r")"
)
#: The same, from the name of a month or day on: Jan 31 10:00, Jan 31, 2024 10:00, Wed Jan 31, Wed, 31 Jan
_NAMED: Final = (
    r"[JFMASOND][a-z]{2} {1,2}[0-9]{1,2},? (?:[0-9]{4},? )?[0-9]{1,2}:[0-9]{2}"
    r"|[MTWFS](?:on|ue|ed|hu|ri|at|un),? (?:[A-Z][a-z]{2} {1,2}[0-9]|[0-9]{1,2} [A-Z][a-z]{2} )"
)
_STAMP: Final = rf"(?:{_DIGITS}|{_NAMED})"
#: Words in brackets before a stamp: [1:M] 18 Jul 2025, [12036]{-1}[-1/-1] 2025-08-18
_BRACKETED: Final = r"[\[({<][^\])}>\"]{1,30}[\])}>] ?"
#: A stamp, a level or a syslog priority: what logs begin each record with.
_MARK: Final = (
    _DIGITS
    + rf"|{_NAMED}"
    + "".join(rf"|{level}(?:[\]|,\t ]|:[^ ])" for level in _LEVELS)
    + r"|[A-Z][0-9]{4}(?:[0-9]{2})? [0-9]{2}:[0-9]{2}:"  # klog I0131 10:00:00, CockroachDB
    + rf"|\[(?:{_STAMP}|{_LEVEL_ANY_CASE}| *[0-9]+\.[0-9]+s?\])"  # the last: seconds since start (kernel, JVM)
    + r"|<[0-9]{1,3}>"
    + rf"|[(\"]{_STAMP}"
    + rf"|{_BRACKETED}(?:{_BRACKETED}){{0,2}}[\[(]?{_STAMP}"
)
#: MySQL's general log, where the stamp of the line before goes for this one too.
_MYSQL: Final = r"[0-9][0-9]*+ (?:Query|Connect|Quit|Execute|Prepare|Init DB|Close stmt|Field List)\t"
#: A head behind blanks needs to be evident: a line of a trace or of JSON is no record.
_INDENTED: Final = r"[ \t][ \t]*+(?:[A-Z]{4,8} +)?[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[ T][0-9]{2}:"
#: Begins a record, whatever came before. What matches depends on the matched text and one character more.
HEAD: Final = re.compile(
    r"[0-9][0-9]{0,2}(?:\.[0-9]{1,3}){3}[ ,:]|\{[\"']|\[\{[\"']"  # access logs, JSON
    rf"|{_MARK}|{_INDENTED}"
    rf"|time=|ts=|t=|timestamp=|level=|lvl=|severity=|CEF:[0-9]|LEEF:[0-9]|{_MYSQL}"
)
#: First of the two lines of java.util.logging's SimpleFormatter; the second begins with the level.
JUL: Final = r"[A-Z][a-z]{2} {1,2}[0-9]{1,2}, [0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M [^ ]+ [^ ]+ *$"
#: Begins a record of a log whose records all begin so: lines without a head go on with it.
MARKED: Final = rf"{_MARK}|{_INDENTED}"
#: The same, but no head: it is also the second line of java.util.logging.
MARKED_HEADLESS: Final = rf"{_LEVEL}:"
_TIME: Final = re.compile(r"[0-9]:[0-9]{2}:[0-9]{2}")
_CAPITALS: Final = re.compile(r"[A-Z][A-Z]{3}")
_LEVEL_WORD: Final = re.compile(rf"(?:^|[^A-Za-z_])(?<!STACK ){_LEVEL}\b")
_OTHER: Final = re.compile(r"[^ =]{1,30}=[^ =]|# (?:Time|User@Host|Query_time): ")
#: Characters at the front of a line where `foreign` looks.
_FRONT: Final = 150


def foreign(line: str) -> bool:
    """Whether a line without a head may still be a record, in a form of its own."""
    if _TIME.search(line, 0, _FRONT) or _OTHER.match(line):
        return True
    return _CAPITALS.search(line, 0, _FRONT) is not None and _LEVEL_WORD.search(line, 0, _FRONT) is not None
