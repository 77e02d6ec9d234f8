"""The repair of a damaged segment: its intact records stay under its name and their numbers, the file as it was goes
aside. Records are bound to their segment and not to a place in it, so they are copied as they stand."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from logintel.bus.segment import HEADER_BYTES, encode_header
from logintel.bus.segment_survey import Survey
from logintel.bus.segment_writer import sync_directory

#: Directory, inside the log's own, of files as they were before a repair. No reader looks there.
ASIDE: Final = "damaged"
_BLOCK: Final = 1024 * 1024


def repair(found: Survey) -> Path:
    """Replace the segment's file by one with its intact records alone; where the old file is now.

    Whoever calls it holds the log's lock. A crash in between leaves the old file or the new one under the segment's
    name, never none. Raises OSError.
    """
    path = found.segment.path
    mended = path.with_name(path.name + ".repaired")
    mended.unlink(missing_ok=True)
    owner = path.stat()
    with path.open("rb") as old, mended.open("xb") as new:
        os.fchmod(new.fileno(), owner.st_mode & 0o777)
        os.fchown(new.fileno(), owner.st_uid, owner.st_gid)  # root repairs what the agent's user must read
        _copy_intact(old, new, found)
        new.flush()
        os.fsync(new.fileno())
    aside = _free_name(path)
    aside.hardlink_to(path)
    sync_directory(aside.parent)
    mended.replace(path)
    sync_directory(path.parent)
    return aside


def _copy_intact(old: BinaryIO, new: BinaryIO, found: Survey) -> None:
    new.write(encode_header(found.segment, found.unused))
    place = HEADER_BYTES if found.headed else 0
    for offset, length, _ in found.damage:
        _copy(old, new, place, offset)
        place = offset + length
    _copy(old, new, place, found.bytes)


def _copy(old: BinaryIO, new: BinaryIO, start: int, end: int) -> None:
    old.seek(start)
    while start < end and (block := old.read(min(_BLOCK, end - start))):
        new.write(block)
        start += len(block)


def _free_name(path: Path) -> Path:
    """A name in ASIDE that nothing has yet."""
    aside = path.parent / ASIDE
    if not aside.exists():
        aside.mkdir(mode=0o700)
        os.chown(aside, path.parent.stat().st_uid, path.parent.stat().st_gid)
    names = (aside / (path.name + (f".{number}" if number else "")) for number in count())
    return next(name for name in names if not name.exists())
