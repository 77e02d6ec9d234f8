"""Gzip: reads a compressed file by offsets of its inflated bytes (RFC 1952), as far as it is whole."""

from __future__ import annotations

import errno
import os
import zlib
from typing import Final

#: Inflated bytes kept behind the last ones asked for, so that what stands before a cursor can be looked at again.
_KEPT: Final = 8 * 1024
_HEAD: Final = 1024
#: Bytes taken from the file, and inflated, in one step.
_STEP: Final = 64 * 1024
_INFLATED: Final = 256 * 1024
_GZIP: Final = 31  # wbits: a gzip header and its checksum, which zlib compares


def is_gzip(head: bytes) -> bool:
    """Whether a file that starts with `head` is a gzip file."""
    return head[:3] == b"\x1f\x8b\x08"


class GzipContent:
    """The inflated bytes of a gzip file of one or more members. It goes forward; going back begins anew.

    ended      whether the last member was whole and nothing stands behind it
    problem    why the file cannot be inflated further, if it is damaged; neither this nor `ended`: more may be written
    abandoned  set by another thread to end a long step: it raises OSError (ECANCELED)
    """

    packed = True
    seen = None

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.abandoned = False
        self._head = b""
        self._begin()

    def _begin(self) -> None:
        self.ended = False
        self.problem: str | None = None
        self._inflater = zlib.decompressobj(_GZIP)
        self._taken = 0  # bytes of the file that were given to the inflater, or lie in _input
        self._input = b""
        self._start = 0  # offset of the window's first byte
        self._window = bytearray()

    @property
    def inflated(self) -> int:
        """Bytes inflated so far; all there are, when it has ended."""
        return self._start + len(self._window)

    def at(self, offset: int, size: int) -> bytes:
        """See Content."""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        if offset < self._start:
            self._begin()
        while self.inflated < offset + size and self._inflate():
            drop = min(offset - _KEPT - self._start, len(self._window))
            if drop > 0:
                del self._window[:drop]
                self._start += drop
        return bytes(self._window[max(0, offset - self._start) :][:size])

    def follows(self, offset: int, known: bytes) -> bool:  # noqa: ARG002 - what was inflated stays
        """See Content."""
        return True

    def next_data(self, offset: int) -> int:
        """See Content."""
        return offset

    def _inflate(self) -> bool:
        """One step; False when there is no more, or not yet."""
        if self.ended or self.problem:
            return False
        if self.abandoned:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        if not self._fill():
            return False
        before = self._inflater.copy()
        try:
            out = self._inflater.decompress(self._input, _INFLATED)
        except zlib.error as error:
            self.problem = str(error)
            out = _salvaged(before, self._input)
        self._keep(out)
        self._input = self._inflater.unconsumed_tail
        if self._inflater.eof:
            self._next_member()
        return True

    def _fill(self) -> bool:
        if not self._input:
            self._input = os.pread(self.fd, _STEP, self._taken)
            self._taken += len(self._input)
        return bool(self._input)

    def _next_member(self) -> None:
        """Behind a member: another one, zeros that fill a block, or the end."""
        self._input = self._inflater.unused_data
        while self._fill():
            self._input = self._input.lstrip(b"\0")
            if self._input:
                break
        if not self._input:
            self.ended = True
        elif self._input[:1] == b"\x1f":
            self._inflater = zlib.decompressobj(_GZIP)
        else:
            self.problem = "what stands behind its end is not gzip"

    def _keep(self, out: bytes) -> None:
        if self.inflated < _HEAD:
            self._head = (self._head[: self.inflated] + out)[:_HEAD]
        self._window += out


def _salvaged(inflater: zlib._Decompress, data: bytes) -> bytes:
    """What can be inflated of damaged data: up to the very byte that does not fit."""
    out = bytearray()
    try:
        for place in range(len(data)):
            out += inflater.decompress(data[place : place + 1])
    except zlib.error:
        pass
    return bytes(out)
