"""Trace lines: the lines of one block of a developer trace, put together to the entries that they make.

A line that begins with a thread, a component or a mark is an entry; lines that begin with none of them, up to the next
blank one, are one entry together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

_WEEKDAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_STAMP: Final = rf"{_WEEKDAY} {_MONTH} [ 0-3]?[0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{3}})? [0-9]{{4}}"
#: A line that holds nothing but the time of those after it, of its thread or of a component's letter.
TIME_LINE: Final = re.compile(
    rf"(?:\[Thr +(?P<thread>[0-9]{{1,20}})\] *|[A-Z] +)?(?P<time>{_STAMP})[ \t]*$"
    r"|\*\*\*\* Trace file opened at (?P<opened>[0-9]{4}-[0-9]{2}-[0-9]{2},? [0-9]{2}:[0-9]{2}:[0-9]{2})"
)
_PREFIX: Final = re.compile(r"\[Thr +(?P<thread>[0-9]{1,20})\] ?|(?P<component>[A-Z])  ")
_MARK: Final = re.compile(
    r"\*\*\* ?(?P<mark>ERROR|WARNING) *=> ?|\*\*\*LOG (?P<log>[A-Z0-9]{2,3}) ?=> ?"
    r"|(?P<security>Error: )(?=[A-Z][^()\n]{0,80}\(-?[0-9]+\))"
)
#: Where in the source it was written, on a line of its own.
_POSITION: Final = re.compile(r"\[[\w./-]{1,80} +[0-9]{1,7} *\][ \t]*$")
_DUMP: Final = re.compile(r"0x[0-9a-f]{4,16} [0-9a-f]{6} |-{20,}$")
_NETWORK_ERROR: Final = re.compile(r"LOCATION {2,}[^ ]")
_NETWORK_LINE: Final = re.compile(r"[A-Z][A-Z_]{1,12} {2,}[^ ]|[ \t]{4,}[^ ]")
_SNAPSHOT: Final = re.compile(r"\*{5,} .{1,60} - (?P<edge>begin|end) \*{5,}")

Kind: TypeAlias = Literal["time", "text", "plain", "mark", "log", "security", "network_error"]


@dataclass(slots=True)
class Entry:
    """What becomes one event.

    kind    plain: lines without a beginning of their own; text: one line with one
    raw     the lines as they stand
    text    the same without the prefix and the mark
    word    what the mark says: ERROR, WARNING, or the id of the system log's message
    dump    lines of a hex dump that belongs to it
    """

    kind: Kind
    raw: list[str]
    text: list[str]
    thread: str | None = None
    component: str | None = None
    word: str = ""
    dump: list[str] = field(default_factory=list)


def entries(lines: Sequence[str]) -> list[Entry]:
    """The entries of a block, in order; blank lines between them belong to none."""
    found: list[Entry] = []
    last: Entry | None = None  # what the next line may go on with
    in_snapshot = False
    for line in lines:
        prefix = _PREFIX.match(line)
        body = line[prefix.end() :] if prefix else line
        if not body or body.isspace():
            last = last if in_snapshot else None
            continue
        if last is not None and _goes_on(last, body, prefixed=prefix is not None):
            _add(last, line, body)
        else:
            last = _begun(line, body, prefix)
            found.append(last)
        if edge := _SNAPSHOT.match(body):
            in_snapshot = edge["edge"] == "begin"
    return found


def _begun(line: str, body: str, prefix: re.Match[str] | None) -> Entry:
    thread, component = (prefix["thread"], prefix["component"]) if prefix else (None, None)
    mark = _MARK.match(body)
    if mark is not None:
        word = mark["mark"] or mark["log"] or "ERROR"
        kind: Kind = "log" if mark["log"] else "security" if mark["security"] else "mark"
        return Entry(kind, [line], [body[mark.end() :]], thread, component, word)
    if _NETWORK_ERROR.match(body):
        return Entry("network_error", [line], [body], thread, component)
    return Entry("text" if prefix else "plain", [line], [body], thread, component)


def _goes_on(last: Entry, body: str, *, prefixed: bool) -> bool:
    if _MARK.match(body) or _NETWORK_ERROR.match(body):
        return False
    if last.kind == "network_error":
        return _NETWORK_LINE.match(body) is not None
    if last.kind in ("mark", "log"):
        return _POSITION.match(body) is not None and _POSITION.search(last.text[-1]) is None
    if last.kind == "security":
        return _DUMP.match(body) is not None
    return last.kind == "plain" and not prefixed


def _add(entry: Entry, line: str, body: str) -> None:
    entry.raw.append(line)
    (entry.dump if entry.kind == "security" else entry.text).append(body)


def numbered(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The (name, value) of lines such as `sysno      00`; a further line of a value goes behind it."""
    name, value = "", ""
    for line in lines:
        head, _, rest = line.partition(" ")
        if head:
            if name:
                yield name, value
            name, value = head, rest.strip()
        else:
            value = f"{value} {rest.strip()}"
    if name:
        yield name, value
