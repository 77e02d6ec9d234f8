"""Formats: turn the text of records into events, many in one call.

A format is a class with a name; sources name it in their config, `auto` picks one record by record. Formats come from
plugins (hook `formats`), the built-in ones too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import ClassVar, Protocol, TypeAlias, cast

from logintel.event import UNPARSED, Event
from logintel.written import Written

#: What a record decodes to: one event, several (a record that holds a list), or None where it is not of this format.
Decoded: TypeAlias = "Event | tuple[Event, ...] | None"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format may know besides the text.

    zone       for stamps that name no zone
    reference  UTC; a stamp without a year takes the latest year that does not put it more than a day after it
    """

    zone: tzinfo
    reference: datetime


class Framer(Protocol):
    """Finds where records begin, for one stream. What it answers depends on the lines alone, not on how they are cut
    into calls, and is the same when reading starts again at any record's first line."""

    def starts(self, lines: Sequence[str]) -> Sequence[int]:
        """Indices of the lines that begin a record, going on from the earlier calls. Blank lines may begin none."""

    @property
    def closed(self) -> bool:
        """Whether the record of the last line is known to be whole: no further line can belong to it."""


class Format(ABC):
    """One format. Instances are per stream: `auto` remembers what the stream looks like."""

    name: ClassVar[str]

    @abstractmethod
    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        """One entry per record, in order. Never raises for any text."""

    def write(self, records: Sequence[str], reading: Reading) -> Sequence[Decoded | Written]:
        """The same as `decode`; a format that can write JSON for common records itself does so here."""
        return self.decode(records, reading)

    @abstractmethod
    def framer(self) -> Framer:
        """A new framer for one stream of this format."""


@dataclass(frozen=True, slots=True)
class FormatRegistry:
    """The installed formats by name."""

    classes: Mapping[str, type[Format]] = field(default_factory=dict)

    def create(self, name: str) -> Format:
        """A new instance of the format. Raises LookupError that lists the known names."""
        try:
            return self.classes[name]()
        except KeyError:
            raise LookupError(f"unknown format {name!r}; known: {', '.join(self)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.classes))


def decode_records(format_: Format, records: Sequence[str], reading: Reading) -> tuple[Sequence[Event], Sequence[int]]:
    """The events of `records`, and for each the number of its record: a record may hold several.

    A record that is not of the format is an event all the same, which keeps its text as raw and message, has the tag
    `_unparsed`, and metadata.parse_error says why.
    """
    events, numbers = _each(format_.decode(records, reading), records, format_.name)
    return cast("Sequence[Event]", events), numbers


def write_records(
    format_: Format, records: Sequence[str], reading: Reading
) -> tuple[Sequence[Event | Written], Sequence[int]]:
    """The same as `decode_records`, with events written where the format can."""
    return _each(format_.write(records, reading), records, format_.name)


def _each(
    decoded: Sequence[Decoded | Written], records: Sequence[str], name: str
) -> tuple[Sequence[Event | Written], Sequence[int]]:
    if all(decoded) and tuple not in map(type, decoded):  # nearly always; checked without a step per record
        return cast("Sequence[Event | Written]", decoded), range(len(decoded))
    events: list[Event | Written] = []
    numbers: list[int] = []
    for number, (record, entry) in enumerate(zip(records, decoded, strict=True)):
        if isinstance(entry, Event | Written):
            events.append(entry)
        else:
            events += entry or (_unparsed(record, name),)
        numbers += [number] * (len(events) - len(numbers))
    return events, numbers


def _unparsed(record: str, name: str) -> Event:
    error = f"not a record of format {name!r}"
    return Event(record, message=record, metadata={"parse_error": error}, tags=[UNPARSED], format=name)
