"""Text of a TraceFormatter: its pattern, which the log's header names, as a regular expression.

SAP Logging API, "TraceFormatter": `%24d %-40l [%t] %s: %m`, widths and alignment behind the `%`.
"""

from __future__ import annotations

import re
from typing import Final

_TIME: Final = r"[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M"
#: Begins a record.
START: Final = _TIME
_WORD: Final = "[^ \n]*"
_DIRECTIVE: Final = re.compile(r"%(-?)[0-9]{0,3}([a-zA-Z%])")
#: In brackets, which a thread's name may have itself.
_BRACKETED: Final = r"(?P<thread>[^\[\]\n]*+(?:\[[^\[\]\n]*+\][^\[\]\n]*+)?)"
#: What the letters stand for; %t depends on what follows it, others are passed over.
_PARTS: Final = {
    "d": rf"(?P<time>{_TIME})",
    "s": r"(?P<severity>[A-Za-z]{4,7})",
    "l": r"(?P<location>[^ \n]*)",
    "c": r"(?P<category>[^ \n]*)",
    "m": r"(?P<message>(?s:.*))",
    "%": "%",
}
#: Without a header: the API's default, and that of the servers' own text logs.
_COMMON: Final = ("%24d %-40l [%t] %s: %m", "%25d[%s] %m")
#: What servers put in front of their text: `[thread] (id):`.
_FRONT: Final = re.compile(r"\[(?P<thread>[^\[\]\n]+)\] ?(?:\((?P<record_id>[0-9]+)\))?:\s*")
#: A header's longest pattern that is compiled.
_LONGEST: Final = 200


class TextLayout:
    """Takes records of text apart. `pattern`: as the header has it; None: the common ones."""

    def __init__(self, pattern: str | None = None) -> None:
        patterns = (pattern, *_COMMON) if pattern and len(pattern) <= _LONGEST else _COMMON
        self._compiled = [_compiled(each) for each in patterns]

    def parts(self, record: str) -> dict[str, str] | None:
        """time, severity, message and whatever else the pattern has, without what is empty; None: not of it."""
        match = next(filter(None, (each.match(record) for each in self._compiled)), None)
        if match is None or "time" not in match.groupdict():
            return None
        parts = {name: value.strip() for name, value in match.groupdict().items() if value and value.strip()}
        front = _FRONT.match(parts.get("message", "")) if "thread" not in parts else None
        if front is not None:
            parts["message"] = parts["message"][front.end() :]
            parts |= {name: value for name, value in front.groupdict().items() if value}
        return parts


def _compiled(pattern: str) -> re.Pattern[str]:
    """Each directive once; blanks behind it, since widths pad with them."""
    used: set[str] = set()
    text, place = "", 0
    for directive in _DIRECTIVE.finditer(pattern):
        letter = directive[2]
        part = _thread(pattern[directive.end() :]) if letter == "t" else _PARTS.get(letter, _WORD)
        padding = "" if letter in "tm" else " *+"
        text += f"{_literal(pattern[place : directive.start()])}{_WORD if letter in used else part}{padding}"
        used.add(letter)
        place = directive.end()
    return re.compile(text + _literal(pattern[place:]))


def _thread(behind: str) -> str:
    """A thread's name may hold blanks: it ends where what stands `behind` it begins."""
    end = behind.lstrip(" ")[:1]
    if end == "]":
        return _BRACKETED
    return rf"(?P<thread>[^{re.escape(end)}\n]*+)" if end not in ("", "%") else f"(?P<thread>{_WORD})"


def _literal(text: str) -> str:
    return " *+".join(map(re.escape, text.split(" ")))
