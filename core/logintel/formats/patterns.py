"""Pattern formats: a format that is a list of anchored patterns whose group names say what each part is.

Groups: `time level message host service thread class_ method_ line_number stack_trace` are the event's own; `pairs` is
searched for key=value; `service` and the like never become empty; every other group is metadata under its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from logintel.event import Event, Level
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.alternatives import NUMBERS, Alternatives, Found, compiled
from logintel.formats.facts import mention
from logintel.formats.pairs import pairs
from logintel.framing import StackTraces
from logintel.levels import level_of, put_level
from logintel.timestamps import STAMP, Clock, clock

_LEAD: Final = re.compile(rf"\[?({STAMP})")
#: What only a stack trace has at the start of a line.
_TRACE: Final = re.compile(
    r"^(?:[ \t]{1,40}(?:at |File \"|from |#[0-9])|Caused by: |Traceback \(|#[0-9]{1,4} )|^[\w.$]{1,200}"
    r"(?:Exception|Error)\b",
    re.MULTILINE,
)


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
        if not self._may_match(head):
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

    def _may_match(self, head: str) -> bool:
        for word in self.needs:
            if word in head:
                return True
        return not self.needs

    def _event(self, record: str, found: Found, instant: Clock) -> Event | None:
        """The event of a match; None where its time is no time."""
        (_, _, fields, names), (time, level, message, more, *values) = found
        event = Event(record, message if message and message != "-" else "", None, None, {}, {}, [], self.name)
        if time and time != "-":
            event.timestamp = instant.text(time)
            if event.timestamp is None:
                return None
        metadata = event.metadata
        if level and level != "-":
            put_level(event, level, self.levels.get(level) if self.levels else level_of(level))
        if more and more != "-":
            metadata.update(pairs(more))
        for name, value in zip(fields, values, strict=False):
            if value and value != "-":
                event.fields[name] = int(value) if name == "line_number" else value.strip()
        for name, value in zip(names, values[len(fields) :], strict=True):
            if value and value != "-":
                metadata[name] = int(value) if name in NUMBERS and value.isdecimal() else value.strip()
        if self.mentions:
            mention(event)
        return event

    def finish(self, event: Event) -> Event:
        """What the patterns cannot say; most formats have nothing to add."""
        return event
