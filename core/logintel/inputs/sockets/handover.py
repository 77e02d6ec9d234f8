"""Decodes what senders sent and hands it over before anything more is taken from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from logintel.batch import Accept
from logintel.event import Event
from logintel.formats import Format, Reading, decode_records
from logintel.inputs.handing_over import hand_over, hand_over_last


@dataclass(slots=True)
class Handover:
    """The way of one sender's records (or those of one datagram socket) to `accept`. `form` is its own instance.

    Records are their bytes and whether these are a piece of a longer one; `peers` names the sender of each, empty
    where it has no address.
    """

    form: Format
    reading: Callable[[], Reading]
    accept: Accept

    async def give(self, records: Sequence[tuple[bytes, bool]], peers: Sequence[str]) -> None:
        """See hand_over."""
        await hand_over(self.accept, list(self._decoded(records, peers)))

    async def give_last(self, records: Sequence[tuple[bytes, bool]], peers: Sequence[str]) -> None:
        """See hand_over_last."""
        await hand_over_last(self.accept, list(self._decoded(records, peers)))

    def _decoded(self, records: Sequence[tuple[bytes, bool]], peers: Sequence[str]) -> Iterator[Event]:
        texts = [data.decode("utf-8", "backslashreplace").rstrip("\r\n\0") for data, _ in records]
        kept = [number for number, text in enumerate(texts) if text and not text.isspace()]
        events, numbers = decode_records(self.form, [texts[number] for number in kept], self.reading())
        for event, place in zip(events, numbers, strict=True):
            number = kept[place]
            if peers[number]:
                event.metadata["peer"] = peers[number]
            if records[number][1]:
                event.tags.append("_cut")
            yield event
