"""json: one JSON object a record, whichever logger wrote it.

Knows the names that ECS, logstash, log4j2, bunyan, pino, zap, logrus, slog, Serilog (CLEF), GELF, Python, docker,
journald, MongoDB, tracing and Zeek give to time, level and message; every other member stays under its own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import orjson

from logintel.event import Event
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.json_keys import FIELDS, HOLDERS, LEVELS, MESSAGES, NUMBERS, TIMES, Plan
from logintel.formats.json_shape import Shape
from logintel.framing import StackTraces
from logintel.levels import level_of
from logintel.timestamps import Clock, clock
from logintel.written import Frame

#: Levels that need no translation.
_SAME: Final = ("INFO", "DEBUG", "WARN", "ERROR", "FATAL")
#: Plans that are remembered: one for each sequence of member names that was seen.
_PLANS: Final = 2_000
#: Shapes that are tried on each record, and records of none of them in a row after which none is tried any more.
_SHAPES: Final = 4
_SHAPELESS: Final = 200


class JsonFormat(Format):
    name: ClassVar[str] = "json"

    def __init__(self) -> None:
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._shapes: list[Shape] = []
        self._shapeless = 0

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [self.event_of(record, instant) for record in records]

    def write(
        self, records: Sequence[str], log_ids: Sequence[str], reading: Reading, frame: Frame
    ) -> Sequence[bytes | Decoded]:
        instant = clock(reading)
        return [self._write(record, log_id, instant, frame) for record, log_id in zip(records, log_ids, strict=True)]

    def _write(self, record: str, log_id: str, instant: Clock, frame: Frame) -> bytes | Event | None:
        """Written where the record is of a shape that is known; new shapes are learnt, until they are of no use."""
        for shape in self._shapes:
            between = frame.between(shape.names, self.name)
            if between is not None and (value := shape.write(record, log_id, between, instant)) is not None:
                self._shapeless = 0
                return value
        if self._shapeless < _SHAPELESS:
            self._shapeless += 1
            if len(self._shapes) < _SHAPES:
                self._learn(record)
        else:
            self._shapes.clear()
        return self.event_of(record, instant)

    def _learn(self, record: str) -> None:
        try:
            body = orjson.loads(record)
        except (orjson.JSONDecodeError, RecursionError):
            return
        if isinstance(body, dict) and (shape := Shape.of(record, body, self._plan(tuple(body)))) is not None:
            self._shapes.append(shape)

    def event_of(self, record: str, instant: Clock) -> Event | None:
        """The event of one record; None where it is no object."""
        text = record
        if not record.startswith("{"):
            text = record.removeprefix("@cee:").lstrip()
            if not text.startswith("{"):
                return None
        try:
            body = orjson.loads(text)
        except (orjson.JSONDecodeError, RecursionError):
            return None
        return self.event(record, body, instant) if body else None

    def event(self, record: str, body: dict[str, Any], instant: Clock) -> Event:
        """The event of a decoded object; takes what it knows out of `body`, which becomes the metadata."""
        plan = self._plan(tuple(body))
        event = Event(record, "", None, None, {}, body, [], self.name)
        if plan.times:
            key = plan.times[0]
            value = body[key]
            if type(value) is str and (stamp := instant.text(value)) is not None:
                event.timestamp = stamp
                del body[key]
            else:
                _take_time(event, body, plan.times, instant)
        if plan.levels:
            key = plan.levels[0]
            if body[key] in _SAME:
                event.level = body.pop(key)
            else:
                _take_level(event, body, plan.levels)
        if plan.messages:
            value = body[plan.messages[0]]
            if value.__class__ is str and value:
                event.message = value.removesuffix("\n")
                del body[plan.messages[0]]
            else:
                _take_message(event, body, plan.messages)
        for key, field in plan.fields:
            value = body.get(key)
            if value.__class__ is str and value and field not in event.fields:
                event.fields[field] = value
                del body[key]
            elif value is not None:
                _take_field(event, body, key, field)
        for key in plan.holders:
            if (inner := body.get(key)).__class__ is dict:
                _look_inside(event, inner, instant)
        return event

    def _plan(self, names: tuple[str, ...]) -> Plan:
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[names] = Plan.of(names)
        return plan


def _take_time(event: Event, body: dict[str, Any], keys: tuple[str, ...], instant: Clock) -> None:
    for key in keys:
        value = body.get(key)
        if isinstance(value, dict):
            value = value.get("$date", value.get("seconds"))
        stamp = (
            instant.text(value.strip())
            if isinstance(value, str)
            else instant.number(value)
            if isinstance(value, int | float) and not isinstance(value, bool)
            else None
        )
        if stamp is not None:
            event.timestamp = stamp
            if not isinstance(body[key], dict) or len(body[key]) == 1:
                del body[key]
            return


def _take_level(event: Event, body: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        value = body.get(key)
        if isinstance(value, str):
            level = level_of(value) or (LEVELS[key].get(value.upper()) if len(value) == 1 else None)
        elif isinstance(value, int) and not isinstance(value, bool):
            level = NUMBERS[key].get(value)
        else:
            level = None
        if level is not None:
            event.level = level
            if value == level:
                del body[key]
            elif isinstance(value, str):
                body["level_text"] = body.pop(key)
            return


def _take_message(event: Event, body: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        value = body.get(key)
        if isinstance(value, str) and value:
            event.message = value.removesuffix("\n")
            del body[key]
            return


def _take_field(event: Event, body: dict[str, Any], key: str, field: str) -> None:
    value = body.get(key)
    if field not in event.fields and value not in ("", None) and isinstance(value, str | int):
        event.fields[field] = value
        del body[key]


def _look_inside(event: Event, inner: object, instant: Clock) -> None:
    """An object that some loggers wrap everything in (`fields`, `log`, `data`): fills what is still unknown."""
    if not isinstance(inner, dict):
        return
    if event.timestamp is None:
        _take_time(event, inner, tuple(key for key in TIMES if key in inner), instant)
    if event.level is None:
        _take_level(event, inner, tuple(key for key in LEVELS if key in inner))
    if not event.message:
        _take_message(event, inner, tuple(key for key in MESSAGES if key in inner))
    for key in inner.keys() & FIELDS.keys():
        _take_field(event, inner, key, FIELDS[key])
    for key in inner.keys() & HOLDERS:
        if event.timestamp is None or event.level is None or not event.message:
            _look_inside(event, inner.get(key), instant)
