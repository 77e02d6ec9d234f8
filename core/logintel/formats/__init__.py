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
from logintel.written import Frame

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


@dataclass(frozen=True, slots=True)
class FixedRecords:
    """Records of one size without line ends, the first character of each in ASCII.

    characters  of a record: code units in UTF-16, else bytes
    encoding    of files that are not UTF-16, where the configuration tells no other; of one byte a character
    """

    characters: int
    encoding: str


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
    #: For formats whose records have no line ends: each reaches the framer as a line.
    fixed: ClassVar[FixedRecords | None] = None

    @abstractmethod
    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        """One entry per record, in order. Never raises for any text."""

    def write(
        self,
        records: Sequence[str],
        log_ids: Sequence[str],  # noqa: ARG002 - for formats that write
        reading: Reading,
        frame: Frame,  # noqa: ARG002
    ) -> Sequence[bytes | Decoded]:
        """The same as `decode`, where common records may be written as they are sent: see logintel.written.

        What is written says nothing that does not stand in the record just so: a record in which redaction finds no
        sign of a secret is not looked at again.
        """
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
    events: list[Event] = []
    numbers: list[int] = []
    for number, (record, entry) in enumerate(zip(records, format_.decode(records, reading), strict=True)):
        found = _events(record, entry, format_.name)
        events += found
        numbers += [number] * len(found)
    return events, numbers


def write_records(
    format_: Format, records: Sequence[str], log_ids: Sequence[str], reading: Reading, frame: Frame
) -> Sequence[bytes | tuple[Event, ...]]:
    """For each record what is sent, or the events that `decode_records` makes of it."""
    entries = format_.write(records, log_ids, reading, frame)
    if set(map(type, entries)) <= {bytes}:  # nearly always; looked at without a step per record
        return cast("Sequence[bytes]", entries)
    return [
        entry if isinstance(entry, bytes) else _events(record, entry, format_.name)
        for record, entry in zip(records, entries, strict=True)
    ]


def _events(record: str, entry: Decoded, name: str) -> tuple[Event, ...]:
    if isinstance(entry, Event):
        return (entry,)
    error = f"not a record of format {name!r}"
    return entry or (Event(record, message=record, metadata={"parse_error": error}, tags=[UNPARSED], format=name),)
