"""Shapes: JSON lines of one logger have the same members in the same order; one pattern checks and takes them apart.

What stands between the members' quotes is JSON already and is copied, where reading and writing it costs twice as much.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, get_args

from logintel.event import Level
from logintel.formats.json_keys import Plan
from logintel.timestamps import Clock
from logintel.written import Written, plain_json

_SAME: Final = frozenset(get_args(Level))
#: How a member's value looks, by its type. Numbers so long that no reader changes them; what is longer has no shape.
_VALUES: Final = {
    str: r'"[^"\\]*+"',
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


class Shape(NamedTuple):
    """`time`, `level` and `message` are numbers of groups (0: there is none); `said` and `own` are texts with a place
    for each of `said_groups` and `own_groups`; `quotes` stand in each record."""

    pattern: re.Pattern[str]
    quotes: int
    time: int
    level: int
    message: int
    needed: tuple[int, ...]
    said: str
    said_groups: tuple[int, ...]
    own: str
    own_groups: tuple[int, ...]
    names: frozenset[str]

    @classmethod
    def of(cls, record: str, body: dict[str, Any], plan: Plan) -> Shape | None:
        """The shape of a record that decodes to `body`; None: it has none."""
        try:
            for separators in _SEPARATORS:
                pattern = re.compile(_object(body, *separators, top=True))
                if pattern.fullmatch(record):
                    return _shape(pattern, record, body, plan)
        except _NoShape:
            pass
        return None

    def write(self, record: str, instant: Clock) -> Written | None:
        """A record of this shape; None: it is of another."""
        match = self.pattern.fullmatch(record)
        if match is None:
            return None
        values = match.groups("")
        stamp = instant.text(values[self.time - 1][1:-1]) if self.time else None
        raw = plain_json(record, self.quotes)
        if raw is None or (self.time and stamp is None) or (self.level and values[self.level - 1][1:-1] not in _SAME):
            return None
        for number in self.needed:
            if values[number - 1] == '""':
                return None
        said = self.said % match.group(0, 0, *self.said_groups)[2:]  # always a tuple
        own = self.own % match.group(0, 0, *self.own_groups)[2:]
        return Written(raw, stamp, said, own, self.names, "json")


def _object(body: dict[str, Any], comma: str, colon: str, *, top: bool) -> str:
    """A pattern for such objects, with a group for each member of the outermost one."""
    members = []
    for name, value in body.items():
        if not _KEY.fullmatch(name):
            raise _NoShape
        text = _object(value, comma, colon, top=False) if type(value) is dict else _VALUES.get(type(value))
        if text is None:
            raise _NoShape
        members.append(f'"{re.escape(name)}"{colon}{f"({text})" if top else text}')
    return rf"\{{{comma.join(members)}\}}"


def _shape(pattern: re.Pattern[str], record: str, body: dict[str, Any], plan: Plan) -> Shape:
    """Which members go where, as JsonFormat.event has it where each is what it is named for."""
    number = {name: place for place, name in enumerate(body, 1)}
    time, level, message = (names[0] if names else None for names in (plan.times, plan.levels, plan.messages))
    special = [name for name in (time, level, message) if name is not None]
    fields = {name: field for name, field in plan.fields if name not in special}
    whole = len(set(fields.values())) == len(fields) and len(set(special)) == len(special)
    texts = all(type(body[name]) is str for name in special)
    if not (whole and texts and all(type(body[name]) in (str, int) for name in fields)):
        raise _NoShape
    if any(type(body[name]) is dict for name in plan.holders):
        raise _NoShape
    said = [(f',"{key}":', name) for key, name in (("level", level), ("message", message)) if name is not None]
    parsed = [(f'"{field}":', name) for name, field in fields.items()]
    own = [name for name in body if name not in special and name not in fields]
    template = "".join(f"{key}%s" for key, _ in said)
    if parsed:
        template += f',"parsed_fields":{{{",".join(f"{key}%s" for key, _ in parsed)}}}'
    return Shape(
        pattern,
        record.count('"'),
        number[time] if time else 0,
        number[level] if level else 0,
        number[message] if message else 0,
        tuple(number[name] for name in (*([message] if message else []), *fields)),
        template,
        tuple(number[name] for _, name in (*said, *parsed)),
        "".join(f',"{name}":%s' for name in own),
        tuple(number[name] for name in own),
        frozenset(own),
    )
