"""The keeper: stands in for the agent in a plugin's tests; gives ids to events and keeps cursors as that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from logintel.batch import Batch, Cursor
from logintel.event import Event
from logintel.identity import Span, counted, identify, new_stream_id
from logintel.lines import Lines


class Sent(NamedTuple):
    """An event as the bus would have it."""

    stream: bytes
    seq: bytes
    log_id: str
    event: Event


class _Place(NamedTuple):
    """Where a stream is: its id, the events before, and the cursor as it was saved (JSON)."""

    id: bytes
    events: int
    cursor: bytes


@dataclass(slots=True)
class Keeper:
    """What outlives a kill: `saved`, and what was sent.

    sent   in the order of sending; after a kill the same events may stand there again
    saved  stream → its place
    """

    sent: list[Sent] = field(default_factory=list)
    saved: dict[str, _Place] = field(default_factory=dict)
    _on_the_way: dict[str, _Place] = field(default_factory=dict)
    _promised: set[str] = field(default_factory=set)

    def cursors(self) -> Mapping[str, Cursor]:
        """What the agent would hand to the source at its next start."""
        cursors = {name: orjson.loads(place.cursor) for name, place in self.saved.items()}
        return {name: cursor for name, cursor in cursors.items() if cursor is not None}

    def begin(self) -> None:
        """A new start: what was not saved is forgotten."""
        self._on_the_way = dict(self.saved)
        self._promised.clear()

    def send(self, batch: Batch) -> None:
        """Send the batch's events; its cursor is not saved yet. Raises AssertionError for what the contract forbids."""
        place = self._on_the_way.get(batch.stream)
        if place is None:
            place = _Place(batch.identity or new_stream_id(), 0, b"null")
            self.saved[batch.stream] = place  # an agent saves a stream's id before its first event leaves
        if batch.stream in self._promised:  # what a batch without events announces is saved before more is sent
            self.saved[batch.stream] = place
            self._promised.discard(batch.stream)
        events, spans = _events(batch, place.events)
        if not events:
            self._promised.add(batch.stream)
        identities = identify(place.id, spans)
        assert identities.seqs == sorted(set(identities.seqs)), "positions inside a batch have to rise: see Batch.spans"
        self.sent += [
            Sent(place.id, seq, log_id, event)
            for event, log_id, seq in zip(events, identities.log_ids, identities.seqs, strict=True)
        ]
        cursor = orjson.dumps(batch.cursor)  # a cursor is small JSON: raises TypeError for what is none
        assert len(cursor) < 64 * 1024, f"a cursor is small: this one has {len(cursor)} bytes"
        self._on_the_way[batch.stream] = _Place(place.id, place.events + len(events), cursor)

    def save(self, batch: Batch) -> None:
        """The batch is acknowledged: its cursor is saved, or its stream forgotten where it has ended."""
        if batch.ended:
            self.saved.pop(batch.stream, None)
            self._on_the_way.pop(batch.stream, None)
        else:
            self.saved[batch.stream] = self._on_the_way[batch.stream]

    def texts(self) -> list[str]:
        """The raw text of each event, once for each id, in the order of first sending."""
        first: dict[str, str] = {}
        for sent in self.sent:
            first.setdefault(sent.log_id, sent.event.raw)
        return list(first.values())

    def check(self) -> None:
        """Raises AssertionError where two sendings of one id differ, or one position has two ids."""
        known: dict[str, str] = {}
        places: dict[tuple[bytes, bytes], str] = {}
        for sent in self.sent:
            assert known.setdefault(sent.log_id, sent.event.raw) == sent.event.raw, (
                f"{sent.log_id} was sent with two texts: reading again from a cursor has to give the same events"
            )
            assert places.setdefault((sent.stream, sent.seq), sent.log_id) == sent.log_id


def _events(batch: Batch, before: int) -> tuple[Sequence[Event], Sequence[Span]]:
    """The batch's events, decoded, and where each ends in its stream."""
    if not isinstance(batch.events, Lines):
        return batch.events, counted(before, batch.events) if batch.spans is None else batch.spans
    events, numbers = batch.events.decode()
    if batch.spans is None:
        return events, counted(before, events)
    return events, [batch.spans[number] for number in numbers]
