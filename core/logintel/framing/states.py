"""States: what the lines of a record so far say about the lines that may follow."""

from __future__ import annotations

import re
from typing import Final

from logintel.framing.heads import JUL, MARKED

PLAIN: Final = "plain"
#: Its first line has a mark: lines without a head go on with it.
MARKED_STATE: Final = "marked"
#: The same, and the level stands at the front of the second line.
JUL_STATE: Final = "jul"

#: Goes on with any record. The group, where one is named, is the state that follows.
_ALWAYS: Final = (
    r"(?P<python>[ \t]*+File \"[^\"]+\", line [0-9])"
    r"|[ \t](?![ \t]*+(?:[A-Z][A-Za-z0-9_:]*+ \(.*\):[ \t]*$|\+ Exception Group Traceback))"
    r"|Caused by:|Suppressed: |Wrapped by: |\.\.\. [0-9]+ (?:more|common frames)"
    r"|--- End of |---> |#[0-9]+ +[^ ]|\[stacktrace\]|\[previous exception\]|<asynchronous suspension>"
    r"|(?:PHP )?(?i:stack ?trace|backtrace):[ \t]*$"
    r"|[^ :]+\.rb:[0-9]+:in ['`][^']*'[ \t]*$"
    r"|/[^ (\[]*+(?:\([^()]*\) ?)?\[0x[0-9a-f]+\]"
    r"|[\]})\"]{1,3}[;,]?[ \t]*$"
)

#: By state: what else goes on with the record.
_ALSO: Final = {
    PLAIN: r"",
    MARKED_STATE: r"",
    "json": r"",
    "xml": r"",
    "python": r"(?P<raised>[A-Za-z_][A-Za-z0-9_.]*+(?::|[ \t]*$)|[^ :]+:[0-9]+:in )",
    "raised": r"(?P<chained>During handling of the above|The above exception was)",
    "chained": r"(?P<python_>Traceback \(most recent)",
    "go": r"goroutine [0-9]+ |\[signal |exit status [0-9]|created by |[^ (]+\(.*\)[ \t]*$|\.\.\.additional frames"
    r"|(?:r[a-z0-9]{1,5}|[cdefgs]s) +0x[0-9a-f]+|PC=0x|runtime stack:|runtime\.|panic during ",
    "node": r"(?:Uncaught )?[A-Za-z_]*(?:Error|Exception)\b|Node\.js v[0-9]|Thrown:",
    "rust": r"note: |stack backtrace:",
    "panicked": r"(?P<rust>.)",
    "dart": r"(?P<plain>.)",
    "php": r"Next |thrown in ",
    "rails": r"Processing by |Completed [0-9]|Rendered |Redirected to |Sent (?:file|data) |Filter chain ",
    "slowlog_time": r"(?P<slowlog>(?!# Time: ).)",
    "slowlog": r"(?!# Time: |# User@Host: ).",
    JUL_STATE: r"[A-Z]+: ",
}
#: State after a group of the patterns above, where the group's name cannot be the state's.
_ALIAS: Final = {"python_": "python"}

CONTINUES: Final = {state: re.compile(_ALWAYS + ("|" + also if also else "")) for state, also in _ALSO.items()}

#: First lines that say what follows; the group is the state.
_OPENING: Final = re.compile(
    rf"(?P<jul>{JUL})|(?P<marked>{MARKED})"
    r"|(?P<json>[{\[][ \t]*+(?:$|[\"{\[]))"
    r"|(?P<xml><\?xml |<[A-Za-z_][^<>]*>[ \t]*$)"
    r"|(?P<go>panic: |fatal error: |goroutine [0-9]+ \[|SIG[A-Z]+: |unexpected fault address|runtime: )"
    r"|(?P<panicked>thread '[^']*' (?:\([0-9]+\) )?panicked at [^ ]+:[0-9]+:[0-9]+:[ \t]*$)"
    r"|(?P<rust>thread '[^']*' (?:\([0-9]+\) )?panicked at )"
    r"|(?P<dart>Unhandled exception:[ \t]*$)"
    r"|(?P<php>PHP [A-Z][a-z ]+ error: |exception '|Fatal error: )"
    r"|(?P<rails>Started [A-Z]+ \")"
    r"|(?P<slowlog_time># Time: )|(?P<slowlog># (?:User@Host|Query_time): )"
    r"|(?P<node>[^ :]+\.[cm]?[jt]sx?:[0-9]+[ \t]*$)"
)
_TRACEBACK: Final = "Traceback (most recent call last):"


def opening(line: str) -> str:
    """The state of a record whose first line this is."""
    found = _OPENING.match(line)
    if found and found.lastgroup:
        return found.lastgroup
    return "python" if line.endswith(_TRACEBACK) else PLAIN


def following(state: str, group: str | None) -> str:
    """The state after a line that went on with the record by way of `group`."""
    if state in (MARKED_STATE, JUL_STATE):
        return MARKED_STATE
    return _ALIAS.get(group, group) if group else state
