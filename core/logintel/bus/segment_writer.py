"""The writer of one segment's file: whole blocks or nothing, and a sync that knows what it covers."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from logintel.bus.segment import Segment, encode_header

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


class SegmentWriter:
    """Open while its segment grows. Every method raises OSError; after a failed `sync` only `abandon` may be called."""

    def __init__(self, segment: Segment, unused: int) -> None:
        """Makes the file and writes its header; leaves nothing behind when that fails."""
        self.segment = segment
        #: Highest number written; `segment.last` follows when it is on disk.
        self.last = segment.last
        #: Part of a refused block could not be taken back: nothing may follow it in this file.
        self.torn = False
        self._named = False
        self._fd = os.open(segment.path, _FLAGS, 0o600)
        try:
            self.write(encode_header(segment, unused), segment.last)
        except OSError:
            self.close()
            segment.path.unlink(missing_ok=True)
            raise

    def write(self, block: bytes, last: int) -> None:
        """Append the whole block, whose last record is `last`; on an error the file ends as before."""
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            self.torn = True
            os.ftruncate(self._fd, self.segment.size)
            self.torn = False
            raise
        self.segment.size += len(block)
        self.last = last

    def sync(self, size: int) -> None:
        """Return when the first `size` bytes and the file's name are on disk. Blocks: call it in a thread."""
        state = os.fstat(self._fd)
        if state.st_size < size or not state.st_nlink:
            raise OSError(errno.ESTALE, "was truncated or deleted by someone else", str(self.segment.path))
        os.fdatasync(self._fd)
        if not self._named:
            sync_directory(self.segment.path.parent)
            self._named = True

    def abandon(self) -> None:
        """Take back what is not known to be on disk and close: after a failed sync the page cache cannot be trusted."""
        self.segment.size = self.segment.durable
        self.segment.sealed = True
        try:
            os.ftruncate(self._fd, self.segment.durable)
        except OSError:
            return  # its records were refused; read again, they would be repeats
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def sync_directory(path: Path) -> None:
    """Return when the names in the directory, made and deleted, are on disk. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
