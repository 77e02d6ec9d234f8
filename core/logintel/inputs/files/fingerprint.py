"""Fingerprints: know a file again by what it holds, whatever its name or inode has become."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from logintel.event import Json
from logintel.inputs.files.content import Content

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

    def fits(self, content: Content) -> bool:
        """Whether the open file still holds what was read."""
        if not content.packed and os.fstat(content.fd).st_size < self.known:
            return False
        if not self.begins(content.at(0, self.size)):
            return False
        start = max(0, self.offset - TAIL)
        return digest(content.at(start, self.offset - start)) == self.tail

    def begins(self, head: bytes) -> bool:
        """Whether a file that starts with `head`, up to 1,024 bytes, may be this one."""
        return len(head) >= self.size and digest(head[: self.size]) == self.head

    def to_json(self) -> Json:
        """As stored in a cursor."""
        return {"offset": self.offset, "size": self.size, "head": self.head, "tail": self.tail}


def of(offset: int, head: bytes, tail: bytes) -> Fingerprint:
    """The fingerprint of a file that was read up to `offset`: its first bytes, and those before `offset`."""
    return Fingerprint(offset, len(head), digest(head), digest(tail))


def ends(content: Content, offset: int) -> tuple[bytes, bytes]:
    """(head, tail) of the open file, as far as it was read up to `offset`."""
    start = max(0, offset - TAIL)
    return content.at(0, min(HEAD, offset)), content.at(start, offset - start)


def head_of(path: str) -> bytes:
    """The first bytes of the file at `path`; none when it cannot be read (opening it will say why)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(fd, HEAD, 0)
    except OSError:
        return b""
    finally:
        os.close(fd)


def from_json(value: Json) -> Fingerprint:
    """The inverse of `Fingerprint.to_json`. Raises ValueError when it is not one."""
    if not isinstance(value, dict):
        raise ValueError("not a fingerprint")
    offset, size, head, tail = (value.get(name) for name in ("offset", "size", "head", "tail"))
    if not (isinstance(offset, int) and isinstance(size, int) and isinstance(head, str) and isinstance(tail, str)):
        raise ValueError("not a fingerprint")
    return Fingerprint(offset, size, head, tail)


def digest(data: bytes) -> str:
    """The hash that fingerprints are made of."""
    return blake2b(data, digest_size=8).hexdigest()
