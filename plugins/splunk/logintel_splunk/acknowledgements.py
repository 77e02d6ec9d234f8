"""Acknowledgements: ids on channels, under which senders ask whether their events are safe.

An id is given after the events are on disk, so the answer to the first question is always yes. What is told is
forgotten, as Splunk does ("About HTTP Event Collector indexer acknowledgment"): the second question is answered no, as
is one about an id of an earlier run.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from logintel_splunk.answers import refusal

#: A token's name and the channel.
Place: TypeAlias = "tuple[str, str]"
#: Seconds without a request after which a channel is forgotten (Splunk's maxIdleTime).
_IDLE: Final = 600.0
#: Ids told out of order that a channel remembers; the oldest that were never asked about give way.
_APART: Final = 10_000


@dataclass(slots=True)
class _Channel:
    """Ids from `oldest` up to `next` are waiting to be asked about, but those in `told`."""

    used: float
    next: int = 0
    oldest: int = 0
    told: set[int] = field(default_factory=set)

    def tell(self, ack_id: int) -> bool:
        if not self.oldest <= ack_id < self.next or ack_id in self.told:
            return False
        self.told.add(ack_id)
        while self.oldest in self.told:
            self.told.remove(self.oldest)
            self.oldest += 1
        if len(self.told) > _APART:
            self.oldest = sorted(self.told)[_APART // 2]
            self.told = {told for told in self.told if told >= self.oldest}
        return True


class Acknowledgements:
    """The channels of a collector, at most `most`."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._channels: OrderedDict[Place, _Channel] = OrderedDict()

    def open(self, place: Place) -> None:
        """Make sure there is room for the channel, before anything is taken on it. Raises Refusal with code 9."""
        now = self._clock()
        while self._channels:
            oldest = next(iter(self._channels.values()))
            if now - oldest.used <= _IDLE:
                break
            self._channels.popitem(last=False)
        if place not in self._channels:
            if len(self._channels) >= self._most:
                raise refusal(9)
            self._channels[place] = _Channel(now)
        self._used(place, now)

    def give(self, place: Place) -> int:
        """The id of events that are on disk now."""
        channel = self._channels.setdefault(place, _Channel(self._clock()))  # it was forgotten if the disk took long
        channel.next += 1
        return channel.next - 1

    def tell(self, place: Place, ack_ids: Sequence[int]) -> dict[int, bool]:
        """Whether the events of each id are safe."""
        channel = self._channels.get(place)
        if channel is None:
            return dict.fromkeys(ack_ids, False)
        self._used(place, self._clock())
        return {ack_id: channel.tell(ack_id) for ack_id in dict.fromkeys(ack_ids)}

    def _used(self, place: Place, now: float) -> None:
        self._channels[place].used = now
        self._channels.move_to_end(place)
