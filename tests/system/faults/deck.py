"""The deck: draws faults in a random order in which each comes up as often as its weight says."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Card(NamedTuple):
    """A fault that can be drawn: `play` does it and returns when it is over; `weight`: how often it is in the deck."""

    play: Callable[[], None]
    weight: int = 1


@dataclass
class Deck:
    """Drawn from until it is empty, then shuffled anew: a run that is long enough has every fault."""

    cards: Sequence[Card]
    dice: random.Random
    _left: list[Callable[[], None]] = field(default_factory=list)

    def draw(self) -> Callable[[], None]:
        """The next fault."""
        if not self._left:
            self._left = [card.play for card in self.cards for _ in range(card.weight)]
            self.dice.shuffle(self._left)
        return self._left.pop()

    def play(self, stop: threading.Event, pauses: tuple[float, float]) -> None:
        """One fault after the other until `stop`; between them a pause of so many seconds, at least and at most."""
        while not stop.wait(self.dice.uniform(*pauses)):
            self.draw()()


def drawn(dice: random.Random, between: tuple[float, float]) -> float:
    """Seconds, as often short as long: evenly over the magnitudes between the two."""
    least, most = between
    return math.exp(dice.uniform(math.log(least), math.log(most)))
