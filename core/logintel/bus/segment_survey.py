"""The survey: what a segment's file holds, intact and damaged, read without changing or holding it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from logintel.bus.segment import (
    HEADER_BYTES,
    MAX_PAYLOAD,
    RECORD_BYTES,
    Entry,
    Segment,
    decode,
    decode_header,
    explain,
    parse_name,
)

#: Bytes read at once; with the largest record, all that is in memory.
_BLOCK: Final = 1024 * 1024


class Range(NamedTuple):
    """Bytes of a file that belong to no intact record, and why not."""

    offset: int
    length: int
    reason: str


@dataclass(slots=True)
class Survey:
    """What one segment holds.

    headed   whether its header is intact
    unused   numbers before the first that were never given, as its header says; 0 where that is damaged
    records  intact ones; `last` is the highest number of these
    missing  records that were acknowledged and are known to be gone, by the gap in the numbers
    """

    segment: Segment
    bytes: int = 0
    headed: bool = False
    unused: int = 0
    records: int = 0
    last: int = 0
    missing: int = 0
    damage: list[Range] = field(default_factory=list)


def segments_in(directory: Path) -> list[Segment]:
    """The segments in `directory`, oldest first. Raises OSError."""
    found = [segment for path in directory.iterdir() if (segment := parse_name(path))]
    return sorted(found, key=lambda segment: (segment.base, segment.id))


def survey(segments: Sequence[Segment], *, growing: bool) -> Iterator[Survey]:
    """Survey segments of one log, oldest first. `growing`: someone writes to the last one, so its end may be open."""
    accounted = segments[0].base - 1 if segments else 0
    for segment in segments:
        found = Survey(segment)
        try:
            _fill(found, growing=growing and segment is segments[-1])
        except FileNotFoundError:
            continue  # delivered and deleted meanwhile
        except OSError as error:
            found.damage.append(Range(0, found.bytes, f"cannot be read: {error.strerror}"))
        accounted = max(accounted, min(accounted + found.unused, segment.base - 1))
        if found.records:
            found.missing = max(0, found.last - accounted - found.records)
            accounted = found.last
        yield found


def read(segment: Segment) -> Iterator[Entry]:
    """Every intact record of a segment, in order. Raises OSError."""
    for entries, _ in _walk(segment, segment.path.stat().st_size):
        yield from entries


def _fill(found: Survey, *, growing: bool) -> None:
    segment = found.segment
    found.bytes = segment.path.stat().st_size
    with segment.path.open("rb") as file:
        unused = decode_header(segment, file.read(HEADER_BYTES))
        found.headed, found.unused = unused is not None, unused or 0
        for entries, gaps in _walk(segment, found.bytes):
            found.records += len(entries)
            found.last = entries[-1][0] if entries else found.last
            for offset, length in gaps:
                _note(found, offset, length)
        if not found.headed and not (found.damage and found.damage[0].offset == 0):
            found.damage.insert(0, Range(0, 0, ""))
        if growing and found.damage and sum(found.damage[-1][:2]) == found.bytes:
            found.damage.pop()
        found.damage = [place._replace(reason=_reason(file.fileno(), segment, place)) for place in found.damage]


def _note(found: Survey, offset: int, length: int) -> None:
    """Add a gap; one that goes on in the next block is one."""
    if found.damage and sum(found.damage[-1][:2]) == offset:
        offset, length = found.damage[-1].offset, found.damage.pop().length + length
    found.damage.append(Range(offset, length, ""))


def _reason(fd: int, segment: Segment, place: Range) -> str:
    if place.offset == 0:
        return "the header of the file is damaged or missing"
    return explain(os.pread(fd, RECORD_BYTES + MAX_PAYLOAD, place.offset), segment.seed)


def _walk(segment: Segment, size: int) -> Iterator[tuple[list[Entry], list[tuple[int, int]]]]:
    """Intact records and gaps, as (offset, length) in the file, of its first `size` bytes, block by block."""
    last, rest = segment.base - 1, b""
    with segment.path.open("rb", buffering=0) as file:
        offset = HEADER_BYTES if decode_header(segment, file.read(HEADER_BYTES)) is not None else 0
        file.seek(offset)
        left = size - offset
        while left > 0 and (block := file.read(min(left, max(_BLOCK, len(rest))))):
            left -= len(block)
            rest += block
            scan = decode(rest, segment.seed, last, final=False)
            yield scan.entries, [(offset + place, length) for place, length in scan.gaps]
            last = scan.entries[-1][0] if scan.entries else last
            rest = rest[scan.used :]
            offset += scan.used
    scan = decode(rest, segment.seed, last, final=True)
    yield scan.entries, [(offset + place, length) for place, length in scan.gaps]
