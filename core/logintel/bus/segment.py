"""The segment: a file of records, and the codec that reads every intact one of them whatever happened to the rest.

    name     {base:020d}-{id:016x}.seg      base: the least sequence number in it; id: 8 random bytes
    header   magic 8 | id 8 | base 8 | unused 8          unused: numbers below base that were never acknowledged
    record   magic 4 | crc 4 | head 4 | length 4 | sequence 8 | payload

All integers are big-endian. Both sums are CRC-32 (zlib) seeded with the segment's id: `head` covers length and
sequence, `crc` covers everything behind itself. So

- bytes of a record that lie inside a payload, or come from another segment, are not taken for a record;
- nothing is bound to a byte position: records behind a cut-out or inserted range are still found;
- a false length costs no reading, since `head` is checked first: looking for the next record is linear in the bytes.

The record's magic consists of bytes that UTF-8 never has, so text cannot even look like the start of a record. The
file header repeats what the name says (for a file in lost+found); only `unused` is read from it, 0 stands in for it.
"""

from __future__ import annotations

import re
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

#: Largest payload, bytes: what a reader may have to hold in one piece.
MAX_PAYLOAD: Final = 16 * 1024 * 1024

_MAGIC: Final = b"\xf5\xc1\xfe\xff"
_RECORD: Final = struct.Struct(">4sIIIQ")
_HEAD: Final = struct.Struct(">IQ")
_SUM: Final = struct.Struct(">4sI")
RECORD_BYTES: Final = _RECORD.size

_FILE_MAGIC: Final = b"LTSEGv1\n"
_FILE: Final = struct.Struct(">8s8sQQ")
HEADER_BYTES: Final = _FILE.size
_NAME: Final = re.compile(r"([0-9]{20})-([0-9a-f]{16})\.seg")


#: A record as stored: its number in the log, and its payload.
Entry: TypeAlias = tuple[int, bytes]


@dataclass(slots=True, eq=False)
class Segment:
    """One segment file as the log knows it.

    size     bytes written
    durable  bytes that are known to be on disk; readers see no further
    last     highest sequence number within `durable` (below `base`: none)
    sealed   nothing will be added
    """

    path: Path
    base: int
    id: bytes
    size: int = 0
    durable: int = 0
    last: int = 0
    sealed: bool = True
    seed: int = field(init=False)

    def __post_init__(self) -> None:
        self.seed = crc32(self.id)

    @property
    def complete(self) -> bool:
        """Whether readers may see all that will ever be in it."""
        return self.sealed and self.durable >= self.size


def name_of(base: int, segment_id: bytes) -> str:
    """The file name of a segment."""
    return f"{base:020d}-{segment_id.hex()}.seg"


def parse_name(path: Path) -> Segment | None:
    """The segment whose file `path` is; None when the name is not a segment's."""
    found = _NAME.fullmatch(path.name)
    return Segment(path, int(found[1]), bytes.fromhex(found[2])) if found else None


def new_segment(directory: Path, base: int) -> Segment:
    """A segment that does not exist yet, under a new random id."""
    segment_id = secrets.token_bytes(8)
    return Segment(directory / name_of(base, segment_id), base, segment_id, last=base - 1, sealed=False)


def encode_header(segment: Segment, unused: int) -> bytes:
    """The first bytes of a segment's file."""
    return _FILE.pack(_FILE_MAGIC, segment.id, segment.base, unused)


def decode_header(segment: Segment, data: bytes) -> int | None:
    """`unused` as the file header states it; None when the bytes are not this segment's header."""
    if len(data) < _FILE.size:
        return None
    magic, segment_id, base, unused = _FILE.unpack_from(data)
    intact = magic == _FILE_MAGIC and segment_id == segment.id and base == segment.base and unused < base
    return int(unused) if intact else None


def encode(payloads: Sequence[bytes], sequence: int, seed: int) -> bytes:
    """Records of `payloads` that carry `sequence` and the numbers after it, as one block."""
    parts: list[bytes] = []
    add, pack_head, pack_sum = parts.append, _HEAD.pack, _SUM.pack
    for number, payload in enumerate(payloads, sequence):
        head = pack_head(len(payload), number)
        body = crc32(head, seed).to_bytes(4, "big") + head + payload
        add(pack_sum(_MAGIC, crc32(body, seed)))
        add(body)
    return b"".join(parts)


class Scan(NamedTuple):
    """What one call of `decode` found.

    entries  intact records, their numbers rising
    used     bytes that need not be seen again
    gaps     (offset, length) of those among these that belong to no intact record
    """

    entries: list[Entry]
    used: int
    gaps: list[tuple[int, int]]

    @property
    def skipped(self) -> int:
        """Bytes in the gaps."""
        return sum(length for _, length in self.gaps)


def decode(data: bytes, seed: int, above: int, *, final: bool) -> Scan:
    """Every intact record in `data` whose number is over `above` and over its predecessors'.

    `final`: nothing follows, so a record that goes on behind `data` is damage; otherwise it is left for the next call.
    """
    entries: list[Entry] = []
    gaps: list[tuple[int, int]] = []
    add, unpack, view, end = entries.append, _RECORD.unpack_from, memoryview(data), len(data)
    place, gap = 0, -1
    undamaged = True
    while place + RECORD_BYTES <= end:
        magic, crc, check, length, number = unpack(data, place)
        if magic == _MAGIC:
            stop = place + RECORD_BYTES + length
            # Behind damage a length is believed only when `head` confirms it: false ones could cost a sum each.
            headed = (undamaged and stop <= end) or crc32(view[place + 12 : place + RECORD_BYTES], seed) == check
            if headed and stop > end and not final:
                return Scan(entries, place, _closed(gaps, gap, place))
            if headed and stop <= end and number > above and crc32(view[place + 8 : stop], seed) == crc:
                if gap >= 0:
                    gaps, gap = _closed(gaps, gap, place), -1
                add((number, data[place + RECORD_BYTES : stop]))
                above, place = number, stop
                continue
        if gap < 0:
            gap = place
        found = data.find(_MAGIC, place + 1)
        undamaged = False
        if found < 0:  # the last bytes may be the start of a magic
            found = max(place + 1, end - len(_MAGIC) + 1)
        place = found
    if final and place < end:
        gap, place = (place if gap < 0 else gap), end
    return Scan(entries, place, _closed(gaps, gap, place))


def _closed(gaps: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    return [*gaps, (start, end - start)] if start >= 0 else gaps


def explain(data: bytes, seed: int) -> str:
    """Why `data`, all that there is from here to the end of the file, begins with no intact record."""
    if len(data) < RECORD_BYTES and _MAGIC.startswith(data[: len(_MAGIC)]):
        return "torn: the file ends within a record"
    if data[: len(_MAGIC)] != _MAGIC:
        return "no record begins here"
    _, crc, check, length, _ = _RECORD.unpack_from(data)
    if crc32(data[12:RECORD_BYTES], seed) != check:
        return "the head of the record is damaged, or it is of another segment"
    if RECORD_BYTES + length > len(data):
        return "torn: the file ends within a record"
    if crc32(memoryview(data)[8 : RECORD_BYTES + length], seed) == crc:
        return "a record that stands before already"
    return "the sum of the record differs"
