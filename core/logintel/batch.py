"""The batch: what a source hands over, and the cursor that lets it go on from there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from logintel.event import Event, Json
from logintel.identity import Span
from logintel.lines import Lines

#: Small JSON that only its source understands: where to go on reading a stream.
Cursor: TypeAlias = Json

#: Takes events of a pushed source; returns when they are on disk. Raises Full when the spool has no room.
Accept: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one stream, in order, and the cursor behind them.

    events  or Lines that are decoded later; bounded by the source: a batch is held in memory until it is acknowledged
    cursor  where the stream goes on once these events are delivered; saved only then
    stream  the source's own name of the stream. Two incarnations (a truncated file) need two names
    spans   (start, end) of each event in the stream, ends rising; None: the agent counts events
    ended   the stream will never go on: its cursor is forgotten once these events are delivered
    stamp   timestamp (UTC, 27 characters) for events that state none and follow none that does; None: now
    identity  16 bytes that name the stream the same to every agent that may read it, where the source knows such; None:
            the agent makes an id of its own, which its checkpoint keeps
    metadata  what all of these events share, beside their own metadata

    A batch without events is a promise kept: its cursor is on disk before anything later of that stream is sent.
    With it a source announces a new stream, or records a cut that the bytes alone would not repeat.
    """

    events: Sequence[Event] | Lines
    cursor: Cursor
    stream: str
    spans: Sequence[Span] | None = None
    ended: bool = False
    stamp: str | None = None
    metadata: Mapping[str, Json] | None = None
    identity: bytes | None = None


class Full(Exception):
    """The spool has no room: answer the sender so that it tries again (HTTP 503 with Retry-After, or just wait)."""
