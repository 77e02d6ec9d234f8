"""Envelopes: JSON objects one after another, with or without blanks between, each an event and what is said about it.

Form: Splunk, "Format events for HTTP Event Collector". Unknown names are ignored; what is said in one envelope does not
hold for the next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from logintel.event import Json
from logintel_splunk.answers import invalid_event
from logintel_splunk.epoch import stamp_of
from logintel_splunk.records import Record, Said, flat

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
#: The name of the member that is the event; inside a text its quotes would have backslashes.
_EVENT: Final = re.compile(r'"event"[ \t\r\n]*:[ \t\r\n]*')


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_decode: Final = json.JSONDecoder(parse_constant=_no_number).raw_decode


def envelopes(text: str, indexes: frozenset[str]) -> Iterator[Record]:
    """The records of a body.

    indexes  those that may be named; empty: any

    Raises Refusal at the first bad one; those before it are good.
    """
    number, place = 0, _skip(text, 0)
    while place < len(text):
        try:
            members, end = _decode(text, place)
        except (ValueError, RecursionError):
            raise invalid_event(6, number) from None
        if not isinstance(members, dict):
            raise invalid_event(6, number)
        yield _record(members, text, (place, end), number, indexes)
        number, place = number + 1, end if text[end : end + 1] == "{" else _skip(text, end)


def _skip(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _as_sent(event: Json, text: str, place: int, end: int) -> str:
    """The text of an event that is no text, in the envelope from `place` to `end`."""
    for name in _EVENT.finditer(text, place, end):
        value, behind = _decode(text, name.end())
        if value == event:
            return text[name.end() : behind]
    return json.dumps(event)  # its name was written with escapes, so what was sent is not looked for


def _record(members: dict[str, Any], text: str, span: tuple[int, int], number: int, indexes: frozenset[str]) -> Record:
    """`span`: where in `text` the envelope with these members is; it is the event `number`."""
    event: Json = members.get("event")
    if event is None:
        raise invalid_event(12, number)
    if event in ("", {}):
        raise invalid_event(13, number)
    try:
        fields = flat(members.get("fields"))
    except ValueError:
        raise invalid_event(15, number) from None
    try:
        stamp, said = stamp_of(members.get("time")), Said.of(members)
    except ValueError:
        raise invalid_event(6, number) from None
    if event == "metric" and any(name.startswith("metric_name") for name in fields):
        raise invalid_event(6, number)  # a measurement is no log event
    if indexes and said.index_name is not None and said.index_name not in indexes:
        raise invalid_event(7, number)
    raw = event if isinstance(event, str) else _as_sent(event, text, *span)
    return Record(raw, event, stamp, said, fields)
