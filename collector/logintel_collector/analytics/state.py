"""What the analyst remembers from look to look: how far it has seen each place, and which periods it has closed.

It is saved with, or after, the points that it stands for: whoever goes on from it computes at most some of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from logintel_collector.analytics.point import PERIODS, Period
from logintel_collector.analytics.values import Values

_POSITION: Final = "position/"
_CLOSED: Final = "closed/"
_VERSION: Final = "version"


class State:
    """Read from (key, value) records, and saved as such.

    positions  place → number of the last document that is counted
    closed     period → seconds since 1970 up to which every bucket was computed
    version    of the points of the latest look; it rises
    """

    def __init__(self, records: Mapping[bytes, bytes], most_values: int) -> None:
        texts = {key.decode(): value for key, value in records.items()}
        self.values = Values(most_values, texts)
        self.positions = {
            key.removeprefix(_POSITION): int(value) for key, value in texts.items() if key.startswith(_POSITION)
        }
        self.closed: dict[Period, int] = {
            period: int(texts[_CLOSED + period]) for period in PERIODS if _CLOSED + period in texts
        }
        self.version = int(texts.get(_VERSION, 0))

    def begin(self, milliseconds: int) -> None:
        """A look begins; `milliseconds` since 1970 by a clock that may have been set back."""
        self.version = max(milliseconds, self.version + 1)

    def points_saved(self) -> dict[bytes, bytes | None]:
        """What must be saved together with points."""
        return _records({_VERSION: str(self.version).encode(), **self.values.changes()})

    def look_ended(
        self, positions: Mapping[str, int], closed: Mapping[Period, int], places: Iterable[str]
    ) -> dict[bytes, bytes | None]:
        """What must be saved when all points of a look are: other places than `places` are there no more."""
        kept = set(places)
        gone = [place for place in self.positions if place not in kept]
        changes: dict[str, bytes | None] = {_POSITION + place: None for place in gone}
        for place in gone:
            del self.positions[place]
        changes |= {
            _POSITION + place: str(end).encode() for place, end in positions.items() if end != self.positions.get(place)
        }
        changes |= {
            _CLOSED + period: str(end).encode() for period, end in closed.items() if end != self.closed.get(period)
        }
        self.positions.update(positions)
        self.closed.update(closed)
        return _records(changes)

    def forget_days(self, is_kept: Callable[[str], bool]) -> dict[bytes, bytes | None]:
        """What must be saved when values of days are forgotten that no event is kept of."""
        return _records(self.values.forget(is_kept))


def _records(changes: Mapping[str, bytes | None]) -> dict[bytes, bytes | None]:
    return {key.encode(): value for key, value in changes.items()}
