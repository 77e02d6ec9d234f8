"""States: what the lines of a record so far say about the lines that may follow."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from logintel.framing.heads import JUL, MARKED, MARKED_HEADLESS

PLAIN: Final = "plain"
#: The first line has a mark: lines without a head go on with it, and a first trace does. The rest is how far it got:
#: at the second line of java.util.logging, in a Python traceback, behind a trace.
MARKED_STATES: Final = frozenset({"marked", "marked_jul", "marked_python", "marked_traced"})

#: How the commonest lines of traces begin: they go on with any record.
FRAMES: Final = ("\tat ", "    at ", "   at ", "\tfrom ")
_EXCEPTION_GROUP: Final = r"[ \t]*+\+ Exception Group Traceback "
#: Goes on with any record. The group, where one is named, is the state that follows.
_ALWAYS: Final = (
    r"(?P<python>[ \t]*+File \"[^\"]+\", line [0-9])"
    rf"|[ \t](?!{_EXCEPTION_GROUP}|[ \t]*+[A-Z][A-Za-z0-9_:]*+ \(.*\):[ \t]*$)"  # the last: how Rails logs an exception
    r"|Caused by:|Suppressed: |Wrapped by: |\.\.\. [0-9]+ (?:more|common frames)"
    r"|--- End of |---> |#[0-9]+ +[^ ]|\[stacktrace\]|\[previous exception\]|<asynchronous suspension>"
    r"|(?:PHP )?(?i:stack ?trace|backtrace):[ \t]*$"
    r"|/[^ (\[]*+(?:\([^()]*\) ?)?\[0x[0-9a-f]+\]"  # glibc's backtrace
    r"|[^ :]+\.rb:[0-9]+:in ['`][^']*'[ \t]*$"
    r"|[\]})\"]{1,3}[;,]?[ \t]*$"
)
#: First line of a trace where no log line begins with it.
_TRACE: Final = re.compile(
    r"Traceback \(most recent|Exception in thread |panic: |[A-Za-z_$][A-Za-z0-9_$.]*(?:Exception|Error)(?::|[ \t]*$)"
    rf"|{_EXCEPTION_GROUP}"
)
_RAISED: Final = r"[A-Za-z_][A-Za-z0-9_.]*+(?::|[ \t]*$)|[^ :]+:[0-9]+:in "
_CHAINED: Final = r"During handling of the above|The above exception was"

#: By state: what else goes on with the record.
_ALSO: Final = {
    PLAIN: r"",
    "json": r"",
    "xml": r"",
    "python": rf"(?P<raised>{_RAISED})",
    "raised": rf"(?P<chained>{_CHAINED})",
    "chained": r"(?P<python_again>Traceback \(most recent)",
    "go": r"goroutine [0-9]+ |\[signal |exit status [0-9]|created by |[^ (]+\(.*\)[ \t]*$|\.\.\.additional frames"
    r"|(?:r[a-z0-9]{1,5}|[cdefgs]s) +0x[0-9a-f]+|PC=0x|runtime stack:|runtime\.|panic during ",
    "node": r"(?P<node_source>.)",
    "node_source": r"\^+[ \t]*$|(?P<node_thrown>(?:Uncaught )?[A-Za-z_]*(?:Error|Exception)\b)",
    "node_thrown": r"Node\.js v[0-9]",
    "rust": r"note: |stack backtrace:",
    "panicked": r"(?P<rust>.)",
    "dart": r"(?P<plain>.)",
    "php": r"Next |thrown in ",
    "rails": r"Processing by |Completed [0-9]|Rendered |Redirected to |Sent (?:file|data) |Filter chain ",
    "slowlog_time": r"(?P<slowlog>(?!# Time: ).)",
    "slowlog": r"(?!# Time: |# User@Host: ).",
    "marked": rf"(?P<marked_python>Traceback \(most recent)|(?P<marked_traced>{_TRACE.pattern})",
    "marked_jul": r"(?P<marked>[A-Z]+: )",
    "marked_python": rf"(?P<marked_traced>{_RAISED})",
    "marked_traced": rf"(?P<marked>{_CHAINED})",
}


@cache  # most logs need few of them, and compiling all takes longer than reading a small file
def continues(state: str) -> re.Pattern[str]:
    """What goes on with a record in that state."""
    also = _ALSO[state]
    return re.compile(f"{_ALWAYS}|{also}" if also else _ALWAYS)


#: First lines with a head: what they say of the lines that follow; the group is the state.
_OPENING_HEADED: Final = re.compile(rf"(?P<marked_jul>{JUL})|(?P<marked>{MARKED})|(?P<json>[{{\[])")
#: First lines without one.
_OPENING: Final = re.compile(
    rf"(?P<marked>{MARKED_HEADLESS})"
    r"|(?P<json>[{\[][ \t]*+(?:$|[\"{\[]))"
    r"|(?P<xml><\?xml |<[A-Za-z_][^<>]*>[ \t]*$)"
    r"|(?P<go>panic: |fatal error: |goroutine [0-9]+ \[|SIG[A-Z]+: |unexpected fault address|runtime: )"
    r"|(?P<panicked>thread '[^']*' (?:\([0-9]+\) )?panicked at [^ ]+:[0-9]+:[0-9]+:[ \t]*$)"
    r"|(?P<rust>thread '[^']*' (?:\([0-9]+\) )?panicked at )"
    r"|(?P<dart>Unhandled exception:[ \t]*$)"
    r"|(?P<php>PHP [A-Z][a-z ]+ error: |exception '|Fatal error: )"
    r"|(?P<rails>Started [A-Z]+ \")"
    r"|(?P<slowlog_time># Time: )|(?P<slowlog># (?:User@Host|Query_time): )"
    r"|(?P<node>(?:(?:file://)?[^ :]+\.[cm]?[jt]sx?|node:[^ :]+):[0-9]+[ \t]*$)"
    rf"|(?P<plain>{_EXCEPTION_GROUP})"
)
_TRACEBACK: Final = "Traceback (most recent call last):"


def opening(line: str, *, headed: bool) -> str:
    """The state of a record whose first line this is; `headed`: whether HEAD matches it."""
    found = (_OPENING_HEADED if headed else _OPENING).match(line)
    state = found.lastgroup if found else None
    if line.endswith(_TRACEBACK):
        return {None: "python", "marked": "marked_python"}.get(state) or PLAIN
    return state or PLAIN


def following(state: str, group: str) -> str:
    """The state after a line that went on with the record by way of `group`."""
    if state in MARKED_STATES:
        return group if group in MARKED_STATES else state
    return "python" if group == "python_again" else group


def is_trace(line: str) -> bool:
    """Whether a line without a head is the first of a trace."""
    return _TRACE.match(line) is not None
