"""Records: finds the whole records in a stretch of a file, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from logintel.formats import Framer
from logintel.identity import Span
from logintel.inputs.files.text import TextCodec

#: A line longer than this many bytes is cut into pieces, each an event of its own with the tag `_cut`.
MAX_LINE: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a stretch of bytes gave.

    texts  the records, lines joined by "\\n"
    spans  their (start, end) in the file
    lines  the (first, last) line of each, counted from 0 at the start of the stretch; None: each is one line
    used   bytes that need not be read again; the rest begins a record that is not whole yet
    cut    whether the record is a piece of a line over the limit
    damaged  which records held bytes that are not of the encoding
    """

    texts: Sequence[str]
    spans: Sequence[Span]
    lines: Sequence[Span] | None
    used: int
    cut: bool = False
    damaged: frozenset[int] = frozenset()


def records(data: bytes, base: int, codec: TextCodec, framer: Framer, *, final: bool) -> Stretch:
    """The records in `data`, which begins at byte `base` of the file, at the first line of a record.

    `final`: nothing will follow (or the end is a cut kept in the cursor): the last record and a last line without line
    end are whole. Otherwise they wait, unless the framer knows that the record is closed. A line over the limit is
    always a record of its own; both decisions follow from the bytes, however they arrived.
    """
    whole = len(data) if final else codec.whole_lines(data)
    if len(data) - whole > MAX_LINE:
        final = True  # the line after these is too long and so a record of its own: the one before it is closed
    texts, lengths, damaged = codec.lines(data[:whole] if whole < len(data) else data)
    if max(lengths, default=len(data)) > MAX_LINE:
        before = next((place for place, length in enumerate(lengths) if length > MAX_LINE), 0)
        if not before:
            return _piece(data, base, codec)
        texts, lengths, final = texts[:before], lengths[:before], True
    starts = framer.starts(texts)
    offsets = list(accumulate(lengths, initial=base))
    if not starts:
        return Stretch((), (), (), offsets[-1] - base)
    closed = final or framer.closed
    used = (offsets[-1] if closed else offsets[starts[-1]]) - base
    bounds = [*starts, len(texts)] if closed else list(starts)
    if len(bounds) == len(texts) + 1 and "" not in texts:
        return Stretch(texts, list(pairwise(offsets)), None, used, damaged=frozenset(damaged))
    places = [(first, _last_written(texts, first, end)) for first, end in pairwise(bounds)]
    return Stretch(
        [texts[first] if first == last else "\n".join(texts[first : last + 1]) for first, last in places],
        [(offsets[first], offsets[last + 1]) for first, last in places],
        places,
        used,
        damaged=frozenset(n for n, (first, last) in enumerate(places) if damaged.intersection(range(first, last + 1)))
        if damaged
        else frozenset(),
    )


def _piece(data: bytes, base: int, codec: TextCodec) -> Stretch:
    """The first piece of a line that is too long. Depends on the bytes alone, so a replay cuts the same."""
    size = codec.piece(data, MAX_LINE)
    hole = size - len(data[:size].lstrip(b"\0"))
    if hole >= codec.width:  # as truncation under a writer without O_APPEND leaves it
        return Stretch((), (), (), hole - hole % codec.width)
    texts, _, damaged = codec.lines(data[:size])
    return Stretch(texts, [(base, base + size)], [(0, 0)], size, cut=True, damaged=frozenset(damaged))


def _last_written(texts: Sequence[str], first: int, end: int) -> int:
    """The last line of a record that is not blank: trailing blank lines must not move a record's end."""
    last = end - 1
    while last > first and (not texts[last] or texts[last].isspace()):
        last -= 1
    return last
