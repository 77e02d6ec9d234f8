"""Contents: the bytes of a file by their offset, as they lie on disk or inflated from gzip."""

from __future__ import annotations

import errno
import os
from typing import Protocol

from logintel.inputs.files.gzipped import GzipContent, is_gzip


class Content(Protocol):
    """What a stream reads from. Offsets and sizes are bytes of the text, never of its compressed form.

    packed   whether it is inflated: then it never grows, but for a file that is still being written
    fd       the open file
    seen     bytes that the file was last known to have; None: nobody can tell
    """

    @property
    def packed(self) -> bool: ...
    @property
    def fd(self) -> int: ...
    @property
    def seen(self) -> int | None: ...

    def at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`, fewer only at the end. Raises OSError."""

    def follows(self, offset: int, known: bytes) -> bool:
        """Whether the file still reaches `offset`, and `known` are the bytes before it."""

    def next_data(self, offset: int) -> int:
        """Where the first bytes from `offset` on lie that are not in a hole of a sparse file; else the file's end."""


class PlainContent:
    """A file as it lies on disk."""

    packed = False

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.seen = 0

    def at(self, offset: int, size: int) -> bytes:
        """See Content."""
        return os.pread(self.fd, size, offset)

    def follows(self, offset: int, known: bytes) -> bool:
        """See Content."""
        size = os.fstat(self.fd).st_size
        if size < offset:
            return False
        self.seen = size
        return os.pread(self.fd, len(known), offset - len(known)) == known

    def next_data(self, offset: int) -> int:
        """See Content. A file system that knows of no holes has none."""
        try:
            return os.lseek(self.fd, offset, os.SEEK_DATA)
        except OSError as error:
            return os.fstat(self.fd).st_size if error.errno == errno.ENXIO else offset


def open_content(path: str) -> Content:
    """The content of the file at `path`, inflated when it begins as gzip does. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return GzipContent(fd) if is_gzip(os.pread(fd, 3, 0)) else PlainContent(fd)
    except OSError:
        os.close(fd)
        raise
