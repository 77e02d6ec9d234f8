"""Decoding: the records of a stretch to events, marked where a line was cut or bytes were damaged."""

from __future__ import annotations

from collections.abc import Sequence

from logintel.event import Event
from logintel.formats import Format, Reading, decode_records
from logintel.inputs.files.records import Stretch

#: Tag of an event that is a piece of a line over the limit.
CUT = "_cut"
#: Tag of an event with bytes that are not of the encoding; metadata.decode_error says what became of them.
DAMAGED = "_damaged"


def marked(form: Format, stretch: Stretch, reading: Reading) -> tuple[Sequence[Event], Sequence[int]]:
    """The events, and for each the number of its record in the stretch: a record may hold several."""
    events, numbers = decode_records(form, stretch.texts, reading)
    if stretch.cut or stretch.damaged:
        _mark(events, numbers, stretch)
    return events, numbers


def _mark(events: Sequence[Event], numbers: Sequence[int], stretch: Stretch) -> None:
    for event, number in zip(events, numbers, strict=True):
        if stretch.cut:
            event.tags.append(CUT)
        if number in stretch.damaged:
            event.tags.append(DAMAGED)
            event.metadata["decode_error"] = "bytes that are no text in the encoding stand as \\xNN"
