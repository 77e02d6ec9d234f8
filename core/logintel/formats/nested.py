"""Nested records: the text that syslog or a container runtime carries is often a record of another format."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from logintel.event import Event
from logintel.formats import Format, Reading
from logintel.formats.facts import mention

#: What a nested record begins with; prose, which is most of syslog, is not looked at further.
_OPENERS: Final = frozenset("{[(<@0123456789#")
#: Programs whose prose is a format.
_PROGRAMS: Final = frozenset(("haproxy", "kernel", "postgres", "named", "filterlog"))
#: Formats whose own message replaces the text: there the carrier's text is not what a person reads first.
_SPEAKING: Final = frozenset(("json", "logfmt", "klog", "java", "python"))


class Nested:
    """Opens the messages of events that a carrier format made."""

    def open(self, events: Sequence[Event | None], reading: Reading) -> None:
        """Complete each event with what its message says itself. The carrier's stamp and names stay."""
        waiting = [event for event in events if event is not None and event.message and _worth(event)]
        for make in _leaves():
            if not waiting:
                break
            texts = [event.message for event in waiting]
            left = []
            for event, inner in zip(waiting, make.decode(texts, reading), strict=True):
                if isinstance(inner, Event):
                    _merge(event, inner)
                else:
                    left.append(event)
            waiting = left
        for carried in events:
            if carried is not None and carried.message:
                mention(carried)


def _worth(event: Event) -> bool:
    text = event.message
    return (
        event.fields.get("service") in _PROGRAMS
        or text[0] in _OPENERS
        or "=" in text
        or text[:4].isupper()
        or ("[" in text[:40] and "]" in text)
    )


def _merge(outer: Event, inner: Event) -> None:
    outer.level = inner.level or outer.level
    outer.timestamp = outer.timestamp or inner.timestamp
    outer.fields.update({key: value for key, value in inner.fields.items() if key not in outer.fields})
    for key, value in inner.metadata.items():
        outer.metadata.setdefault(key, value)
    if inner.timestamp and inner.timestamp != outer.timestamp:
        outer.metadata.setdefault("inner_timestamp", inner.timestamp)
    outer.metadata["inner_format"] = inner.format
    if inner.format in _SPEAKING and inner.message:
        outer.message = inner.message


@cache
def _leaves() -> tuple[Format, ...]:
    """Every format that carries no other, best first; imported late, since carriers are formats as well."""
    from logintel.formats.builtin import LEAVES  # noqa: PLC0415

    return tuple(cls() for cls in LEAVES)
