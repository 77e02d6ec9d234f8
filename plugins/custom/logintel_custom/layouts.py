"""Layouts: take one record apart into named values; each of them a function from text to values, or None."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import orjson

from logintel.event import Json

#: The named values of a record, further lines behind its `message`; None: it is not of this layout.
Layout: TypeAlias = Callable[[str], "dict[str, Json] | None"]

_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_PATH: Final = re.compile(r"(?:\$\.?)?(?:[^.\[\]]+|\[[0-9]+\])(?:\.[^.\[\]]+|\[[0-9]+\])*")


def pattern(expression: re.Pattern[str], names: Mapping[str, str] | None = None) -> Layout:
    """The named groups of a match from the record's start; `names` names them otherwise.

    Without the flag `(?s)` it is matched with the first line, and the others go behind the message.
    """
    whole = bool(expression.flags & re.DOTALL)
    groups = [((names or {}).get(name, name), number) for name, number in expression.groupindex.items()]

    def take(record: str) -> dict[str, Json] | None:
        head, _, rest = (record, "", "") if whole else record.partition("\n")
        match = expression.match(head.removesuffix("\r"))
        if match is None:
            return None
        values: dict[str, Json] = {}
        for name, number in groups:
            if value := match[number]:
                values[name] = value
        return _with_rest(values, rest)

    return take


def cells(columns: Sequence[str], delimiter: str, quote: str) -> Layout:
    """RFC 4180 with any delimiter: the cells by the names of their columns; a record of another number of cells, or the
    line that repeats the names, is not of it. A column without a name is left out."""
    names = list(columns)

    def take(record: str) -> dict[str, Json] | None:
        try:
            rows = list(csv.reader(record.splitlines(keepends=True), delimiter=delimiter, quotechar=quote, strict=True))
        except csv.Error:
            return None
        if len(rows) != 1 or len(rows[0]) != len(names) or rows[0] == names:
            return None
        return {name: cell for name, cell in zip(names, rows[0], strict=True) if name and cell}

    return take


def members(paths: Mapping[str, str]) -> Layout:
    """A JSON object: what stands at each path under that path's name, every other member under its own."""
    steps = {name: path_steps(path) for name, path in paths.items()}
    taken = {path[0] for path in steps.values() if len(path) == 1}

    def take(record: str) -> dict[str, Json] | None:
        try:
            body = orjson.loads(record)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(body, dict):
            return None
        found = {name: at(body, path) for name, path in steps.items()}
        values = {name: value for name, value in body.items() if name not in taken}
        return values | {name: value for name, value in found.items() if value is not None}

    return take


def pairs(between: str, sign: str) -> Layout:
    """Pairs `key<sign>value`, `between` them a text that may be repeated; a value may stand in double quotes. What
    stands in front of the first pair is the message, unless a pair says it."""
    value = rf'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|((?:(?!{re.escape(between)})[^\n])*)'
    pair = re.compile(rf"(?:^|(?<={re.escape(between)}))([A-Za-z_@][\w.@/-]{{0,80}}){re.escape(sign)}(?:{value})")

    def take(record: str) -> dict[str, Json] | None:
        head, _, rest = record.partition("\n")
        found = list(pair.finditer(head.removesuffix("\r")))
        if not found:
            return None
        values: dict[str, Json] = {}
        for match in found:
            key, quoted, bare = match.groups()
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare.strip()
            if text:
                values.setdefault(key, text)
        front = head[: found[0].start()].strip().removesuffix(between.strip())
        if front:
            values.setdefault("message", front)
        return _with_rest(values, rest)

    return take


def path_steps(path: str) -> tuple[str | int, ...]:
    """`$.event.tags[0]` (the `$.` may be left out) as steps. Raises ValueError."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a path; expected such as $.event.tags[0]")
    found = _STEP.findall(path.removeprefix("$").removeprefix("."))
    return tuple(name or int(number) for name, number in found)


def at(value: Json, path: Sequence[str | int]) -> Json:
    """What stands there; None: nothing."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _with_rest(values: dict[str, Json], rest: str) -> dict[str, Json]:
    if rest:
        message = values.get("message")
        values["message"] = f"{message}\n{rest}" if message else rest
    return values
