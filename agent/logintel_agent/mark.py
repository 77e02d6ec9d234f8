"""The mark: where a stream is."""

from __future__ import annotations

from dataclasses import dataclass

from logintel.batch import Cursor
from logintel.event import TimestampOrigin


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a stream is: everything that makes a replay from here give the same events again.

    id      hex, the stream's identity on the wire
    cursor  the source's own
    count   events of the stream so far
    stamp   timestamp for the next event that states none, and `origin`, where it came from
    partition  of the bus, fixed at birth; None: not chosen yet, or the bus has none
    """

    id: str
    cursor: Cursor
    count: int
    stamp: str
    origin: TimestampOrigin
    partition: int | None = None
