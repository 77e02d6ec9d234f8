"""plain: any text; the message is the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from logintel.event import Event
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.facts import mention
from logintel.formats.patterns import follow
from logintel.framing import StackTraces


class PlainFormat(Format):
    name: ClassVar[str] = "plain"

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:  # noqa: ARG002 - states nothing to date
        return [_decode(record) for record in records]


def _decode(record: str) -> Event:
    head, _, rest = record.partition("\n")
    event = Event(record, message=head, format="plain")
    mention(event)
    return follow(event, rest)
