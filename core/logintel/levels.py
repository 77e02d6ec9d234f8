"""Levels: the word, letter or number with which a record names its severity, to one of five."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from logintel.event import Event, Level

_NAMES: Final[dict[Level, str]] = {
    "DEBUG": "TRACE DEBUG DEBUG1 DEBUG2 DEBUG3 DEBUG4 DEBUG5 FINE FINER FINEST VERBOSE TRC DBG DEB VRB DIAG",
    "INFO": "INFO INFORMATION INFORMATIONAL INF NOTICE NOTE LOG CONFIG NTC NOTIF STATUS HINT SUCCESS",
    "WARN": "WARN WARNING WRN",
    "ERROR": "ERROR ERR SEVERE ERRO FAILURE",
    "FATAL": "FATAL CRITICAL CRIT CRT ALERT EMERG EMERGENCY PANIC DPANIC FTL",
}
#: The five, as they are written in an event: words that need no translation.
FIVE: Final = frozenset(_NAMES)
#: Words as programs write them, upper case (syslog: RFC 5424, 6.2.1; java.util.logging.Level; PostgreSQL's LOG).
WORDS: Final[dict[str, Level]] = {word: level for level, words in _NAMES.items() for word in words.split()}
#: Letters of formats that document one: klog, logcat, MongoDB, Ruby's Logger, etcd.
LETTERS: Final[dict[str, Level]] = {
    "T": "DEBUG", "V": "DEBUG", "D": "DEBUG", "I": "INFO", "N": "INFO", "W": "WARN", "E": "ERROR",
    "F": "FATAL", "C": "FATAL", "A": "FATAL",
}  # fmt: skip
#: RFC 5424, table 2.
SYSLOG: Final[tuple[Level, ...]] = ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")
#: bunyan and pino: 10 trace … 60 fatal.
BUNYAN: Final[dict[int, Level]] = {10: "DEBUG", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}
#: Python's logging: 10 DEBUG … 50 CRITICAL.
PYTHON: Final[dict[int, Level]] = {10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "FATAL"}


def _any_of(words: Iterable[str]) -> str:
    """A pattern for the longest of `words` that stands there, which looks at each character once."""
    following: dict[str, list[str]] = {}
    for word in words:
        following.setdefault(word[:1], []).append(word[1:])
    ends = following.pop("", None) is not None
    parts = [re.escape(first) + _any_of(rests) for first, rests in sorted(following.items())]
    pattern = "|".join(parts)
    if ends or len(parts) > 1:
        pattern = f"(?:{pattern})"
    return f"{pattern}?" if ends and parts else "" if ends else pattern


#: Any of the words, the longest that fits, for patterns.
ANY: Final = _any_of(WORDS)

_seen: dict[str, Level | None] = {}


def level_of(word: str) -> Level | None:
    """The level that a word names, in any case; None: not a level's name."""
    try:
        return _seen[word]
    except KeyError:
        level = WORDS.get(word.strip().upper())
        if len(_seen) < 1000 and len(word) < 20:
            _seen[word] = level
        return level


def put_level(event: Event, word: str, level: Level | None) -> None:
    """Set the event's level; the word as written stays in metadata.level_text where it is another."""
    event.level = level
    if word != level:
        event.metadata["level_text"] = word
