"""Pattern formats: a format that is a list of anchored patterns whose group names say what each part is.

Groups: `time level message host service thread class_ method_ line_number stack_trace` are the event's own; `pairs` is
searched for key=value; `service` and the like never become empty; every other group is metadata under its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

from logintel.event import Event, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.facts import mention
from logintel.formats.pairs import pairs
from logintel.framing import StackTraces
from logintel.levels import level_of, put_level
from logintel.timestamps import STAMP, Clock, clock

_FIELDS: Final = {
    "host": "host",
    "service": "service",
    "thread": "thread",
    "class_": "class",
    "method_": "method",
    "line_number": "line_number",
    "stack_trace": "stack_trace",
}
#: Metadata that is a number in every format, so that one mapping fits it.
_NUMBERS: Final = frozenset(("status", "bytes", "client_port", "server_port", "target_port"))
_NOTHING: Final = frozenset(("", "-"))
#: The beginning of a named group, or a reference to one.
_NAMED: Final = re.compile(r"\(\?P([<=]\w+)")
_LEAD: Final = re.compile(rf"\[?({STAMP})")
#: What only a stack trace has at the start of a line.
_TRACE: Final = re.compile(
    r"^(?:[ \t]{1,40}(?:at |File \"|from |#[0-9])|Caused by: |Traceback \(|#[0-9]{1,4} )|^[\w.$]{1,200}"
    r"(?:Exception|Error)\b",
    re.MULTILINE,
)


class Found(NamedTuple):
    """A match: the alternative's number, the names of its groups, and their texts in the same order."""

    number: int
    names: tuple[str, ...]
    texts: tuple[str | None, ...]


class Alternatives:
    """Patterns of which the first that matches is taken, as one pattern: a miss costs little, however many they are."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = patterns
        # A group's name is unique in a pattern only; the empty group at its end tells which one matched.
        parts = (f"(?:{_numbered(text, n)})(?P<_{n}>)" for n, text in enumerate(patterns))
        self._whole = re.compile("|".join(parts))
        indices = self._whole.groupindex
        self._groups: dict[int, tuple[int, tuple[str, ...], tuple[int, ...]]] = {}
        for n, text in enumerate(patterns):
            names = tuple(match[1][1:] for match in _NAMED.finditer(text) if match[1][0] == "<")
            self._groups[indices[f"_{n}"]] = n, names, tuple(indices[f"{name}_{n}"] for name in names)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, text: str, start: int = 0) -> Found | None:
        """The first alternative that matches at `start`."""
        match = self._whole.match(text, start)
        if match is None or match.lastindex is None:
            return None
        number, names, indices = self._groups[match.lastindex]
        return Found(number, names, match.group(0, *indices)[1:])

    def behind(self, found: Found) -> Alternatives:
        """The alternatives that come after."""
        return _alternatives(self._patterns[found.number + 1 :])


def _numbered(pattern: str, number: int) -> str:
    """The pattern with `_NUMBER` behind the name of each group."""
    return _NAMED.sub(lambda match: f"(?P{match[1]}_{number}", pattern)


@lru_cache(maxsize=256)
def _alternatives(patterns: tuple[str, ...]) -> Alternatives:
    return Alternatives(patterns)


def compiled(*patterns: str) -> Alternatives:
    """The patterns; they are matched from the first character."""
    return _alternatives(patterns)


def follow(event: Event, rest: str) -> Event:
    """Put a record's further lines behind its message, and name them where they are a stack trace."""
    if rest:
        event.message = f"{event.message}\n{rest}" if event.message else rest
        if trace := _TRACE.search(rest):
            event.fields.setdefault("stack_trace", rest[trace.start() :])
    return event


class PatternFormat(Format):
    """Tries `patterns` on a record's first line, in order; further lines go on the message (a stack trace is named)."""

    patterns: ClassVar[Alternatives] = compiled()
    #: Patterns for what stands behind a line's leading time, so that the time is matched once for all of them.
    stamped: ClassVar[Alternatives] = compiled()
    #: What a record can begin with; empty: anything.
    begins: ClassVar[str] = ""
    #: A first line without any of these cannot match; none named: all are tried. Cheaper than a pattern that fails.
    needs: ClassVar[tuple[str, ...]] = ()
    #: What this format's letters or words mean; None: the words that all programs use.
    levels: ClassVar[Mapping[str, Level] | None] = None
    #: Whether the message is prose, whose pairs and facts become metadata.
    mentions: ClassVar[bool] = True

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [self._decode(record, instant) for record in records]

    def framer(self) -> Framer:
        return StackTraces()

    def _decode(self, record: str, instant: Clock) -> Event | None:
        if self.begins and record[:1] not in self.begins:
            return None
        head, _, rest = record.partition("\n")
        head = head.removesuffix("\r")
        if self.needs and not any(word in head for word in self.needs):
            return None
        patterns = self.patterns
        while patterns and (found := patterns.match(head)) is not None:
            if (event := self._event(record, found, instant)) is not None:
                return follow(self.finish(event), rest)
            patterns = patterns.behind(found)
        if self.stamped and (lead := _LEAD.match(head)) is not None:
            found = self.stamped.match(head, lead.end())
            if found is not None and (stamp := instant.text(lead[1])) is not None:
                event = self._event(record, found, instant)
                if event is not None:
                    event.timestamp = stamp
                    return follow(self.finish(event), rest)
        return None

    def _event(self, record: str, found: Found, instant: Clock) -> Event | None:
        """The event of a match; None where its time is no time."""
        event = Event(record, "", None, None, {}, {}, [], self.name)
        metadata = event.metadata
        for name, value in zip(found.names, found.texts, strict=True):
            if value is None or value in _NOTHING:
                continue
            if name == "message":
                event.message = value
            elif name == "time":
                event.timestamp = instant.text(value)
                if event.timestamp is None:
                    return None
            elif name == "level":
                put_level(event, value, self.levels.get(value) if self.levels else level_of(value))
            elif name in _FIELDS:
                event.fields[_FIELDS[name]] = int(value) if name == "line_number" else value.strip()
            elif name == "pairs":
                metadata.update(pairs(value))
            else:
                metadata[name] = int(value) if name in _NUMBERS and value.isdecimal() else value.strip()
        if self.mentions:
            mention(event)
        return event

    def finish(self, event: Event) -> Event:
        """What the patterns cannot say; most formats have nothing to add."""
        return event
