"""auto: whichever built-in format a record is of, found record by record.

Candidates are ranked by how special they are; the one that decoded the stream's last records is tried first, so a
stream of one format costs one attempt per record. What no format knows is plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeAlias, cast

from logintel.formats import Decoded, Format, Framer, Reading
from logintel.framing import StackTraces
from logintel.written import Written

#: So many records tell what a stream looks like: the others need not be tried by every format.
_SAMPLE: Final = 50
#: Has a format decode or write some records.
_Ask: TypeAlias = "Callable[[Format, Sequence[str]], Sequence[Decoded | Written]]"


class AutoFormat(Format):
    name: ClassVar[str] = "auto"

    def __init__(self) -> None:
        from logintel.formats.builtin import RANKED  # noqa: PLC0415 - the list names this class too

        self._ranked: list[Format] = [cls() for cls in RANKED]
        self._leader: Format | None = None

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        # What only `decode` is asked for holds no written events.
        return cast("list[Decoded]", self._sampled(records, lambda form, some: form.decode(some, reading)))

    def write(self, records: Sequence[str], reading: Reading) -> Sequence[Decoded | Written]:
        return self._sampled(records, lambda form, some: form.write(some, reading))

    def _sampled(self, records: Sequence[str], ask: _Ask) -> Sequence[Decoded | Written]:
        if self._leader is None and len(records) > _SAMPLE:
            return [*self._tried(records[:_SAMPLE], ask), *self._tried(records[_SAMPLE:], ask)]
        return self._tried(records, ask)

    def _tried(self, records: Sequence[str], ask: _Ask) -> Sequence[Decoded | Written]:
        decoded: list[Decoded | Written] = [None] * len(records)
        left: Sequence[int] = range(len(records))
        best, most = None, 0
        for format_ in self._order():
            if not left:
                break
            entries = ask(format_, records if len(left) == len(records) else [records[n] for n in left])
            still = [] if all(entries) else [place for place, entry in zip(left, entries, strict=True) if not entry]
            if len(left) - len(still) > most:
                best, most = format_, len(left) - len(still)
            if len(entries) == len(records):
                decoded = list(entries)
            else:
                for place, entry in zip(left, entries, strict=True):
                    decoded[place] = entry
            left = still
        # The two general formats at the end fit much that a special one fits better: they never lead.
        self._leader = best if best is not None and best not in (self._ranked[0], *self._ranked[-2:]) else self._leader
        return decoded

    def _order(self) -> list[Format]:
        """The first format carries records of the others, which would take them for their own: it stays first."""
        if self._leader is None:
            return self._ranked
        return [self._ranked[0], self._leader, *(one for one in self._ranked[1:] if one is not self._leader)]
