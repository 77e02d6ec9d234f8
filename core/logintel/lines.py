"""Lines: records of a batch that nobody has decoded yet, so that the agent can have them written as JSON at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logintel.event import Event
from logintel.formats import Format, Reading, decode_records, write_records
from logintel.written import Frame


@dataclass(frozen=True, slots=True)
class Lines:
    """Texts of records of one format; decode or write them once, in the order of their stream."""

    texts: Sequence[str]
    format: Format
    reading: Reading

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.decode()[0])

    def decode(self) -> tuple[Sequence[Event], Sequence[int]]:
        """The events, and for each the number of its record: a record may hold several."""
        return decode_records(self.format, self.texts, self.reading)

    def write(self, log_ids: Sequence[str], frame: Frame) -> Sequence[bytes | tuple[Event, ...]]:
        """For each record, whose id is in `log_ids`, the event as it is sent, or the events that it holds."""
        return write_records(self.format, self.texts, log_ids, self.reading, frame)
