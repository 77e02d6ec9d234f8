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
#: From behind `{` or a value to the next value, or to behind the object's end. A name with an escape is read again.
_STEP: Final = re.compile(r'[ \t\r\n]*(,?)[ \t\r\n]*(?:"((?:[^"\\]|\\.)*+)"[ \t\r\n]*:[ \t\r\n]*|\})', re.DOTALL)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_number)


def envelopes(text: str, indexes: frozenset[str]) -> Iterator[Record]:
    """The records of a body.

    indexes  those that may be named; empty: any

    Raises Refusal at the first bad one; those before it are good.
    """
    number, place = 0, _skip(text, 0)
    while place < len(text):
        try:
            members, span, place = _object(text, place)
        except (ValueError, RecursionError):
            raise invalid_event(6, number) from None
        yield _record(text, members, span, number, indexes)
        number, place = number + 1, _skip(text, place)


def _skip(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _object(text: str, place: int) -> tuple[dict[str, Any], tuple[int, int], int]:
    """The members of the object at `place`, where the text of its `event` is, and where the object ends.

    Raises ValueError, or RecursionError (objects too deep in each other), where there is none.
    """
    if text[place] != "{":
        raise ValueError("no object")
    members: dict[str, Any] = {}
    span, place = (0, 0), place + 1
    while step := _STEP.match(text, place):
        comma, name = step.groups()
        if bool(comma) != (bool(members) and name is not None):
            break  # a comma stands between members and nowhere else
        if name is None:
            return members, span, step.end()
        if "\\" in name or not name.isprintable():
            name = json.loads(f'"{name}"')
        members[name], place = _DECODER.raw_decode(text, step.end())
        if name == "event":
            span = step.end(), place
    raise ValueError("no end of the object")


def _record(text: str, members: dict[str, Any], span: tuple[int, int], number: int, indexes: frozenset[str]) -> Record:
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
    raw = event if isinstance(event, str) else text[span[0] : span[1]]
    return Record(raw, event, stamp, said, fields)
