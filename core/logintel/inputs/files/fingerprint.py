"""Fingerprints: know a file again by what it holds, whatever its name or inode has become."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from logintel.event import Json

HEAD: Final = 1024
TAIL: Final = 4096


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies the read part of a file: its head, and the bytes just before the cursor.

    The head grows with the file up to 1,024 bytes and never reaches past the cursor: it holds for files of any size.
    """

    offset: int
    head: str
    tail: str

    @property
    def empty(self) -> bool:
        """Whether nothing was read yet: then only the inode can tell."""
        return self.offset == 0

    def fits(self, fd: int) -> bool:
        """Whether the open file still holds, up to the cursor, what was read."""
        return os.fstat(fd).st_size >= self.offset and of(self.offset, *ends(fd, self.offset)) == self

    def to_json(self) -> Json:
        """As stored in a cursor."""
        return {"offset": self.offset, "head": self.head, "tail": self.tail}


def of(offset: int, head: bytes, tail: bytes) -> Fingerprint:
    """The fingerprint of what was read: its first 1,024 bytes and the 4,096 before `offset`, as far as there are."""
    return Fingerprint(offset, _digest(head[:HEAD]), _digest(tail[-TAIL:]))


def ends(fd: int, offset: int) -> tuple[bytes, bytes]:
    """The (head, tail) that `of` takes, out of the open file."""
    start = max(0, offset - TAIL)
    return os.pread(fd, min(HEAD, offset), 0), os.pread(fd, offset - start, start)


def from_json(value: Json) -> Fingerprint:
    """The inverse of `Fingerprint.to_json`. Raises ValueError when it is not one."""
    if not isinstance(value, dict):
        raise ValueError("not a fingerprint")
    offset, head, tail = value.get("offset"), value.get("head"), value.get("tail")
    if not (isinstance(offset, int) and isinstance(head, str) and isinstance(tail, str)):
        raise ValueError("not a fingerprint")
    return Fingerprint(offset, head, tail)


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()
