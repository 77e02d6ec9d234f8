"""The custom format: records taken apart by a layout, their parts put where they belong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from logintel.event import PARSED_FIELDS, Event, Json
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import StackTraces
from logintel.levels import level_of, put_level
from logintel.timestamps import clock
from logintel_custom.format_config import FormatConfig
from logintel_custom.grok import TypeName
from logintel_custom.stamps import Stamps

_TRUE: Final = frozenset(("true", "yes", "on", "1"))
_FALSE: Final = frozenset(("false", "no", "off", "0"))


class CustomFormat(Format):
    """What a FormatConfig describes. A part that is none of the event's own is metadata under its name.

    A part that is not of its type stays as it is, and metadata.parse_error names it.
    """

    name: ClassVar[str] = "custom"

    def __init__(self, config: FormatConfig) -> None:
        self._config = config
        self._layout, self._types = config.layout()
        self._stamps: tuple[Reading, Callable[[str], str | None]] | None = None

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        return [self._event(record, reading) for record in records]

    def _event(self, record: str, reading: Reading) -> Event | None:
        values = self._layout(record)
        if values is None:
            return None
        event = Event(record, "", metadata=values, format=self.name)
        wrong = [*self._take_time(event, values, reading), *_typed(values, self._types)]
        self._take_level(event, values)
        message = values.pop(self._config.message, None)
        event.message = message if isinstance(message, str) else record if message is None else str(message)
        for name in PARSED_FIELDS & values.keys():
            value = values.pop(name)
            event.fields[name] = value if isinstance(value, str | int) else str(value)
        if wrong:
            values["parse_error"] = "; ".join(wrong)
        return event

    def _take_time(self, event: Event, values: dict[str, Json], reading: Reading) -> Sequence[str]:
        field = self._config.timestamp.field
        value = values.get(field)
        if value is None:
            return ()
        if isinstance(value, str):
            event.timestamp = self._clock(reading)(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            event.timestamp = clock(reading).number(value)
        if event.timestamp is None:
            return (f"{field}: not a time of the layout",)
        del values[field]
        return ()

    def _clock(self, reading: Reading) -> Callable[[str], str | None]:
        """What reads stamps; made anew when the reference has moved."""
        if self._config.timestamp.layout is None:
            return clock(reading).text
        if self._stamps is None or self._stamps[0] != reading:
            self._stamps = reading, Stamps(self._config.timestamp.layout, reading).text
        return self._stamps[1]

    def _take_level(self, event: Event, values: dict[str, Json]) -> None:
        config = self._config.level
        value = values.get(config.field)
        if value is None:
            return
        word = str(value)
        level = config.map.get(word) or level_of(word)
        if level is not None:
            del values[config.field]
            put_level(event, word, level)


def _typed(values: dict[str, Json], types: Mapping[str, TypeName]) -> list[str]:
    """Convert in place; what could not be."""
    wrong = []
    for name, kind in types.items():
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, str) and value.strip() in ("", "-"):
            del values[name]  # nothing
            continue
        try:
            values[name] = _CONVERT[kind](value)
        except (ValueError, TypeError, OverflowError):
            wrong.append(f"{name}: not of type {kind}")
    return wrong


def _integer(value: Json) -> int:
    number = int(value) if isinstance(value, str | int) else None
    if number is None or not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _floating(value: Json) -> float:
    if not isinstance(value, str | int | float):
        raise TypeError
    number = float(value.strip().replace(",", ".") if isinstance(value, str) else value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _boolean(value: Json) -> bool:
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


_CONVERT: Final[Mapping[TypeName, Callable[[Json], Json]]] = {"int": _integer, "float": _floating, "bool": _boolean}
