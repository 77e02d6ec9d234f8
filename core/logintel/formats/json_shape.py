"""Shapes: JSON lines of one logger have the same members in the same order; one pattern checks and takes them apart.

What stands between the members' quotes is JSON already and is copied, where reading and writing it costs twice as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import filterfalse, groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from logintel.formats.json_keys import Plan
from logintel.levels import FIVE
from logintel.timestamps import Clock
from logintel.written import plain_json, written

#: How a member's value looks, by its type; a text with an escape in it is told by plain_json. Numbers so long that no
#: reader changes them; what is longer has no shape.
_VALUES: Final = {
    str: r'"[^"]*"',
    int: r"-?(?:0|[1-9][0-9]{0,14}+)(?![0-9.eE])",
    float: r"-?(?:0|[1-9][0-9]{0,8}+)\.[0-9]{1,6}+(?![0-9eE])",
    bool: r"(?:true|false)",
    type(None): r"null",
}
_KEY: Final = re.compile(r"[\w.@$ -]{1,100}", re.ASCII)
#: What loggers write between members, and between a name and its value.
_SEPARATORS: Final = ((",", ":"), (", ", ": "))


class _NoShape(Exception):
    """Something of the record cannot be told by a pattern."""


class _Places(NamedTuple):
    """Which member is what; `fields` from a member's name to the parsed field's."""

    time: str
    level: str | None
    message: str | None
    fields: dict[str, str]

    def taken(self, name: str) -> bool:
        """Whether the member does not stay in the metadata."""
        return name in self.fields or name in (self.time, self.level, self.message)


class Shape(NamedTuple):
    """What lines of one logger have in common.

    pattern  matches them; its groups are the members that are not metadata, and each run of those that are
    quotes   how many there are in each
    time     index of the group of the time
    level    and of the level; None: it says none
    texts    indices of groups that must not be empty
    said     a text with a place for each of the groups `put`; of the groups `runs` the metadata consists
    names    of the metadata
    """

    pattern: re.Pattern[str]
    quotes: int
    time: int
    level: int | None
    texts: tuple[int, ...]
    said: str
    put: Callable[[Sequence[str]], object]
    runs: tuple[int, ...]
    names: frozenset[str]

    @classmethod
    def of(cls, record: str, body: dict[str, Any], plan: Plan) -> Shape | None:
        """The shape of a record that decodes to `body`; None: it has none."""
        try:
            places = _places(body, plan)
            for comma, colon in _SEPARATORS:
                groups, text = _groups(body, places, comma, colon)
                pattern = re.compile(text)
                if pattern.fullmatch(record):
                    return _shape(pattern, record, body, places, groups)
        except (_NoShape, RecursionError):  # the latter: it is nested hundreds of levels deep
            pass
        return None

    def write(self, record: str, log_id: str, between: str, instant: Clock) -> bytes | None:
        """A record of this shape; None: it is of another."""
        match = self.pattern.fullmatch(record)
        if match is None or (raw := plain_json(record, self.quotes)) is None:
            return None
        values = match.groups()
        stamp = instant.text(values[self.time])
        if stamp is None:
            return None
        if self.level is not None and values[self.level] not in FIVE:
            return None
        for place in self.texts:
            if not values[place]:
                return None
        own = f",{values[self.runs[0]]}" if len(self.runs) == 1 else "".join([f",{values[run]}" for run in self.runs])
        return written(log_id, stamp, self.said % self.put(values), between, own, raw)


def _places(body: dict[str, Any], plan: Plan) -> _Places:
    """As JsonFormat.event has it where each member is what it is named for."""
    time, level, message = (names[0] if names else None for names in (plan.times, plan.levels, plan.messages))
    special = [name for name in (time, level, message) if name is not None]
    fields = {name: field for name, field in plan.fields if name not in special}
    if time is None or len(set(special)) < len(special) or len(set(fields.values())) < len(fields):
        raise _NoShape
    if any(type(body[name]) is not str for name in special) or any(type(body[name]) is dict for name in plan.holders):
        raise _NoShape
    if any(type(body[name]) not in (str, int) for name in fields):
        raise _NoShape
    return _Places(time, level, message, fields)


def _groups(body: dict[str, Any], places: _Places, comma: str, colon: str) -> tuple[list[str], str]:
    """What each group is: a member's name, or "" for a run of metadata; and the pattern."""
    groups: list[str] = []
    parts: list[str] = []
    for metadata, members in groupby(body.items(), lambda member: not places.taken(member[0])):
        if metadata:
            parts.append(f"({comma.join(_member(*member, comma, colon) for member in members)})")
            groups.append("")
        else:
            for name, value in members:
                parts.append(_member(name, value, comma, colon, group=True))
                groups.append(name)
    return groups, rf"\{{{comma.join(parts)}\}}"


def _member(name: str, value: Any, comma: str, colon: str, *, group: bool = False) -> str:
    if not _KEY.fullmatch(name):
        raise _NoShape
    if type(value) is dict:
        text = rf"\{{{comma.join(_member(*member, comma, colon) for member in value.items())}\}}"
    else:
        text = _VALUES.get(type(value), "")
    if not text:
        raise _NoShape
    if group:
        text = '"([^"]*)"' if type(value) is str else f"({text})"
    return f'"{re.escape(name)}"{colon}{text}'


def _shape(
    pattern: re.Pattern[str], record: str, body: dict[str, Any], places: _Places, groups: Sequence[str]
) -> Shape:
    index = {name: number for number, name in enumerate(groups) if name}
    said = "".join(
        f',"{key}":"%s"' for key, name in (("level", places.level), ("message", places.message)) if name is not None
    )
    if places.fields:
        forms = [
            f'"{field}":"%s"' if type(body[name]) is str else f'"{field}":%s' for name, field in places.fields.items()
        ]
        said = f'{said},"parsed_fields":{{{",".join(forms)}}}'
    put = [index[name] for name in (places.level, places.message, *places.fields) if name is not None]
    return Shape(
        pattern,
        record.count('"'),
        index[places.time],
        None if places.level is None else index[places.level],
        tuple(index[name] for name in (places.message, *places.fields) if name is not None),
        said,
        itemgetter(*put) if put else _nothing,
        tuple(number for number, name in enumerate(groups) if not name),
        frozenset(filterfalse(places.taken, body)),
    )


def _nothing(_values: Sequence[str]) -> tuple[()]:
    return ()
