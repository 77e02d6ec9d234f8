"""The condition: whether an event, in whatever form it is there, is like what a configuration describes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from logintel.config.process import Condition
from logintel.event import Json

E = TypeVar("E")


def condition(config: Condition, reader: Callable[[str], Callable[[E], Json]]) -> Callable[[E], bool]:
    """Whether an event is as `config` describes; of several keys each must hold.

    `reader`: what reads the field at a path, such as `metadata.status`, from an event; None: the event has none.
    """
    parts = [part for part in (_of_level(config, reader), _of_field(config, reader)) if part is not None]
    if len(parts) == 1:
        return parts[0]
    return lambda event: all(part(event) for part in parts)


def inside(values: dict[str, Json], name: str) -> Json:
    """The value under a name that may lead into objects, such as `user.id`; None: there is none."""
    if name in values:
        return values[name]
    first, dot, rest = name.partition(".")
    inner = values.get(first) if dot else None
    return inside(inner, rest) if isinstance(inner, dict) else None


def _of_level(config: Condition, reader: Callable[[str], Callable[[E], Json]]) -> Callable[[E], bool] | None:
    if not config.level:
        return None
    levels, read = frozenset(config.level), reader("level")
    return lambda event: read(event) in levels


def _of_field(config: Condition, reader: Callable[[str], Callable[[E], Json]]) -> Callable[[E], bool] | None:
    if config.field is None:
        return None
    read, test = reader(config.field), _all(_tests(config))

    def holds(event: E) -> bool:
        value = read(event)
        if value is None or isinstance(value, dict | list):
            return False
        return test(_written(value))

    return holds


def _all(tests: list[Callable[[str], bool]]) -> Callable[[str], bool]:
    return tests[0] if len(tests) == 1 else lambda text: all(test(text) for test in tests)


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
