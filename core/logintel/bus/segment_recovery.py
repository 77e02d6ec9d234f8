"""Recovery: what a directory of segments holds, found by reading it; nothing else is ever asked."""

from __future__ import annotations

import os
from bisect import bisect_right
from pathlib import Path
from typing import Final

import structlog

from logintel.bus.segment import RECORD_BYTES, Segment, decode, parse_name

_BLOCK: Final = 1024 * 1024
_log = structlog.get_logger(__name__)


def recover(directory: Path) -> list[Segment]:
    """The segments in `directory`, oldest first, with the highest number that each holds.

    Only the newest are read; of an older one it is enough that it stays below the next base. Several have the same base
    when nothing was written to the first, or nothing of it can be read. What a killed process wrote may be in the page
    cache alone, so every segment is synced before a reader may see it.
    """
    found = [segment for path in directory.iterdir() if (segment := parse_name(path))]
    found.sort(key=lambda segment: (segment.base, segment.id))
    bases = [segment.base for segment in found]
    for segment in found:
        following = bisect_right(bases, segment.base)
        try:
            segment.size = segment.durable = _synced_size(segment.path)
            segment.last = bases[following] - 1 if following < len(bases) else _last_number(segment)
        except OSError as error:
            # Numbers that an unreadable file may hold must not be given again.
            segment.last = segment.base + segment.size // RECORD_BYTES
            _log.error("segment_unreadable", path=str(segment.path), reason=error.strerror)
    return found


def _synced_size(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _last_number(segment: Segment) -> int:
    """The highest number of an intact record in the file, `base - 1` without one. Raises OSError."""
    last, rest = segment.base - 1, b""
    with segment.path.open("rb", buffering=0) as file:
        while block := file.read(max(_BLOCK, len(rest))):
            rest += block
            scan = decode(rest, segment.seed, last, final=False)
            last = scan.entries[-1][0] if scan.entries else last
            rest = rest[scan.used :]
    scan = decode(rest, segment.seed, last, final=True)
    return scan.entries[-1][0] if scan.entries else last
