"""Inner objects: a message that is itself a JSON object or logfmt pairs is read as such."""

from __future__ import annotations

from logintel.event import Event
from logintel.formats.json import JsonFormat
from logintel.formats.logfmt import LogfmtFormat
from logintel.timestamps import Clock

_JSON = JsonFormat()
_LOGFMT = LogfmtFormat()


def unwrap(event: Event, instant: Clock) -> None:
    """Take level, message and members out of the event's message where it is an object; its own stamp stays."""
    text = event.message
    if text.startswith("{"):
        inner = _JSON.event_of(text, instant)
    elif "=" in text[:40] and " " not in text[: text.find("=")]:
        inner = _LOGFMT.event_of(text, instant)
    else:
        return
    if inner is None:
        return
    event.level = event.level or inner.level
    event.timestamp = event.timestamp or inner.timestamp
    event.message = inner.message or text
    event.fields = inner.fields | event.fields
    event.metadata = inner.metadata | event.metadata
