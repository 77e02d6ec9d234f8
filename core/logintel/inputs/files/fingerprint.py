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

    offset  up to where records were handed over
    size    bytes of the head: up to 1,024 of what was read, so it grows with a small file; it may reach past `offset`,
            because what was sent but not acknowledged must be found again too
    head, tail  hashes of the first `size` bytes and of up to 4,096 bytes before `offset`
    """

    offset: int
    size: int
    head: str
    tail: str

    @property
    def known(self) -> int:
        """Bytes of the file that this says something about; 0: only the inode can tell."""
        return max(self.offset, self.size)

    def fits(self, fd: int) -> bool:
        """Whether the open file still holds what was read."""
        if os.fstat(fd).st_size < self.known:
            return False
        head, tail = ends(fd, self.offset)
        return of(self.offset, os.pread(fd, self.size, 0) if self.size > len(head) else head[: self.size], tail) == self

    def to_json(self) -> Json:
        """As stored in a cursor."""
        return {"offset": self.offset, "size": self.size, "head": self.head, "tail": self.tail}


def of(offset: int, head: bytes, tail: bytes) -> Fingerprint:
    """The fingerprint of a file that was read up to `offset`: its first bytes, and those before `offset`."""
    return Fingerprint(offset, len(head), _digest(head), _digest(tail))


def ends(fd: int, offset: int) -> tuple[bytes, bytes]:
    """(head, tail) of the open file, as far as it was read up to `offset`."""
    start = max(0, offset - TAIL)
    return os.pread(fd, min(HEAD, offset), 0), os.pread(fd, offset - start, start)


def from_json(value: Json) -> Fingerprint:
    """The inverse of `Fingerprint.to_json`. Raises ValueError when it is not one."""
    if not isinstance(value, dict):
        raise ValueError("not a fingerprint")
    offset, size, head, tail = (value.get(name) for name in ("offset", "size", "head", "tail"))
    if not (isinstance(offset, int) and isinstance(size, int) and isinstance(head, str) and isinstance(tail, str)):
        raise ValueError("not a fingerprint")
    return Fingerprint(offset, size, head, tail)


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()
