"""auto: whichever built-in format a record is of, found record by record.

Candidates are ranked by how special they are; the one that decoded the stream's last records is tried first, so a
stream of one format costs one attempt per record. What no format knows is plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeAlias, cast

from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import StackTraces
from logintel.written import Frame

#: So many records tell what a stream looks like: the others need not be tried by every format.
_SAMPLE: Final = 50
#: Has a format decode or write the records at some places.
_Ask: TypeAlias = "Callable[[Format, Sequence[int]], Sequence[bytes | Decoded]]"


class AutoFormat(Format):
    name: ClassVar[str] = "auto"

    def __init__(self) -> None:
        from logintel.formats.builtin import RANKED  # noqa: PLC0415 - the list names this class too

        self._ranked: list[Format] = [cls() for cls in RANKED]
        self._leader: Format | None = None

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        found = self._sampled(len(records), lambda form, places: form.decode(_picked(records, places), reading))
        return cast("list[Decoded]", found)

    def write(
        self, records: Sequence[str], log_ids: Sequence[str], reading: Reading, frame: Frame
    ) -> Sequence[bytes | Decoded]:
        def ask(form: Format, places: Sequence[int]) -> Sequence[bytes | Decoded]:
            return form.write(_picked(records, places), _picked(log_ids, places), reading, frame)

        return self._sampled(len(records), ask)

    def _sampled(self, count: int, ask: _Ask) -> list[bytes | Decoded]:
        if self._leader is None and count > _SAMPLE:
            return [*self._tried(range(_SAMPLE), ask), *self._tried(range(_SAMPLE, count), ask)]
        return self._tried(range(count), ask)

    def _tried(self, places: range, ask: _Ask) -> list[bytes | Decoded]:
        """What the first format that takes it makes of each record."""
        found: list[bytes | Decoded] = []
        left: Sequence[int] = places
        best, most = None, 0
        for format_ in self._order():
            if not left:
                break
            entries = ask(format_, left)
            taken = len(left) if all(entries) else sum(map(bool, entries)) if any(entries) else 0
            if taken > most:
                best, most = format_, taken
            if taken == len(places):
                found, left = list(entries), ()
            elif taken:
                found = found or [None] * len(places)
                for place, entry in zip(left, entries, strict=True):
                    found[place - places.start] = entry
                left = [place for place, entry in zip(left, entries, strict=True) if not entry]
        # The two general formats at the end fit much that a special one fits better: they never lead.
        if best is not None and best not in (self._ranked[0], *self._ranked[-2:]):
            self._leader = best
        return found

    def _order(self) -> list[Format]:
        """The first format carries records of the others, which would take them for their own: it stays first."""
        if self._leader is None:
            return self._ranked
        return [self._ranked[0], self._leader, *(one for one in self._ranked[1:] if one is not self._leader)]


def _picked(items: Sequence[str], places: Sequence[int]) -> Sequence[str]:
    if isinstance(places, range):
        return items[places.start : places.stop]
    return [items[place] for place in places]
