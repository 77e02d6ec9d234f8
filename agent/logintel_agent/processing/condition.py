"""The condition: whether an event is like what a configuration describes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from logintel.config.process import Condition
from logintel.event import Event, Json

#: Whether an event is like that.
Holds: TypeAlias = Callable[[Event], bool]
#: The value of a field; None: the event has none.
Reads: TypeAlias = Callable[[Event], Json]


def condition(config: Condition) -> Holds:
    """What `config` describes; of several keys each must hold."""
    parts = [part for part in (_of_level(config), _of_field(config)) if part is not None]
    if len(parts) == 1:
        return parts[0]
    return lambda event: all(part(event) for part in parts)


def reader(path: str) -> Reads:
    """Reads the field at `path`, such as `metadata.status`; inside objects too, `metadata.user.id`."""
    if path == "raw_log":
        return lambda event: event.raw
    if path == "message":
        return lambda event: event.message or event.raw
    if path == "level":
        return lambda event: event.level
    if path == "metadata.format":
        return lambda event: event.format
    section, _, name = path.partition(".")
    if section == "parsed_fields":
        return lambda event: event.fields.get(name)
    return lambda event: _inside(event.metadata, name)


def _inside(values: dict[str, Json], name: str) -> Json:
    if name in values:
        return values[name]
    first, dot, rest = name.partition(".")
    inner = values.get(first) if dot else None
    return _inside(inner, rest) if isinstance(inner, dict) else None


def _of_level(config: Condition) -> Holds | None:
    levels = frozenset(config.level)
    return (lambda event: event.level in levels) if levels else None


def _of_field(config: Condition) -> Holds | None:
    if config.field is None:
        return None
    read, tests = reader(config.field), _tests(config)

    def holds(event: Event) -> bool:
        value = read(event)
        if value is None or isinstance(value, dict | list):
            return False
        text = _written(value)
        return all(test(text) for test in tests)

    return holds


def _tests(config: Condition) -> list[Callable[[str], bool]]:
    tests: list[Callable[[str], bool]] = []
    if config.equals:
        tests.append(frozenset(map(_written, config.equals)).__contains__)
    if (prefix := config.prefix) is not None:
        tests.append(lambda text: text.startswith(prefix))
    if config.pattern is not None:
        search = re.compile(config.pattern).search
        tests.append(lambda text: search(text) is not None)
    return tests


def _written(value: str | float | bool) -> str:
    """As JSON writes it: a status is 404, whether the format kept it as a number or as text."""
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
