"""What is remembered of a source between two judgements; stored, so that a keeper that starts goes on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from logintel_collector.source_health import Health


@dataclass(slots=True)
class Memory:
    """Times are seconds since 1970 by the broker's clock.

    health, reason, since     in effect; health None: never judged
    pending, pending_since    what it would be, were it to last
    window, lag, read, errors where the window began in which lag and errors are looked at
    lagging, failing          what the last whole window showed; "" nothing
    heard                     the newest heartbeat
    events, event_at          events read when it last spoke, and when that was
    gap, gaps, first          the longest time between two times that it spoke (fading), how often, and since when
    """

    health: Health | None = None
    reason: str = ""
    since: float = 0.0
    pending: Health | None = None
    pending_since: float = 0.0
    window: float | None = None
    lag: int = 0
    read: int = 0
    errors: int = 0
    lagging: str = ""
    failing: str = ""
    heard: float = 0.0
    events: int = 0
    event_at: float = 0.0
    gap: float = 0.0
    gaps: int = 0
    first: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """As values of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `as_json` gave, also that of a version with other keys."""
        return cls(**{each.name: body[each.name] for each in fields(cls) if each.name in body})
