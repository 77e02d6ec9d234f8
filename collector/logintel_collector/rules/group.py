"""The group: events of one rule that belong together, what is remembered of them, and its JSON form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson

from logintel.duration import Duration
from logintel.event import Json
from logintel_collector.alert import Alert
from logintel_collector.document import Document
from logintel_collector.rules.conditions import Group

#: Version of the stored form.
VERSION: Final = 1
#: Longest key that is kept as text, characters; a longer one is kept as its hash.
MAX_KEY: Final = 512
#: How far ahead of the clock an event's time may be, microseconds.
MAX_FUTURE: Final = 5 * 60 * 10**6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, and its text needs no zone
_MICROSECOND: Final = timedelta(microseconds=1)


def micros_since_1970(moment: datetime) -> int:
    """How times are counted here; `moment` has a zone."""
    return (moment - _EPOCH) // _MICROSECOND


def micros(duration: Duration) -> int:
    """A duration in microseconds."""
    return round(duration * 10**6)


def instant(timestamp: str) -> int:
    """Microseconds since 1970 of a timestamp in the event's form. Raises ValueError when it is none."""
    return micros_since_1970(datetime.fromisoformat(timestamp))


def timestamp(instant: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ` of microseconds since 1970."""
    return (_NAIVE_EPOCH + instant * _MICROSECOND).isoformat(timespec="microseconds") + "Z"


@dataclass(slots=True)
class GroupState:
    """What is remembered of one group.

    times      event times that may still count (logintel_collector.rules.windows)
    fresh      event times that no alert has counted
    samples    log_ids of the newest events
    last       time of the newest event, microseconds
    alert      the alert that goes on
    told       notifications made of it
    told_at    when the last of them was made, by the clock; microseconds
    heard_at   when its conditions were last met, by the clock; microseconds
    """

    times: list[int] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    last: int = 0
    alert: Alert | None = None
    told: int = 0
    told_at: int = 0
    heard_at: int = 0


def encode(state: GroupState) -> bytes:
    """The stored form: JSON."""
    return orjson.dumps(
        {
            "version": VERSION,
            "times": state.times,
            "samples": state.samples,
            "fresh": state.fresh,
            "last": state.last,
            "alert": state.alert.id if state.alert else None,
            "told": state.told,
            "told_at": state.told_at,
            "heard_at": state.heard_at,
        }
    )


def decode(state: bytes, open_alerts: dict[str, Alert], *, same_revision: bool) -> GroupState:
    """The state that `encode` made. A rule that was edited goes on with its alert but counts anew."""
    body: dict[str, Any] = orjson.loads(state)
    group = GroupState(last=body["last"], told=body["told"], told_at=body["told_at"], heard_at=body["heard_at"])
    group.alert = open_alerts.get(body["alert"])
    if same_revision:
        group.times, group.samples, group.fresh = body["times"], body["samples"], body["fresh"]
    return group


class Sighting(NamedTuple):
    """A matching document, its group (a name for the values of its fields) and the time it counts at (also as text)."""

    document: Document
    key: str
    values: list[Json]
    at: int
    stamp: str


def sighting(document: Document, group_by: tuple[Group, ...], now: int) -> Sighting | None:
    """The document in its group; None when it lacks a field without which it is skipped. Several values are one value.

    Its time is its timestamp, but for one too far in the future, which would make everything else look old: then `now`.
    """
    values: list[Json] = []
    for group in group_by:
        value = _value(document.source, group.field)
        if value is None and group.missing == "skip":
            return None
        values.append(value)
    stamp = document.timestamp
    at = instant(stamp)
    if at > now + MAX_FUTURE:
        at, stamp = now, timestamp(now)
    return Sighting(document, _key(values), values, at, stamp)


def _key(values: list[Json]) -> str:
    """The group's name: its values as JSON, or a hash of it where that is long."""
    text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    if len(text) <= MAX_KEY:
        return text.decode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _value(source: Json, path: str) -> Json:
    """What `path` names: a key with dots in it, or a way through nested objects. A list of one value is that value."""
    while isinstance(source, dict):
        if path in source:
            value = source[path]
            if isinstance(value, list) and len(value) < 2:
                return value[0] if value else None
            return value
        head, dot, path = path.partition(".")
        if not dot:
            return None
        source = source.get(head)
    return None
