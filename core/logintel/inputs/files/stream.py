"""File streams: one incarnation of a file, read in order from where its cursor says."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from logintel.event import Json
from logintel.formats import Format, Framer
from logintel.inputs.files.fingerprint import HEAD, TAIL, Fingerprint, ends, from_json, of
from logintel.inputs.files.records import Stretch, records
from logintel.inputs.files.text import HEAD_BYTES, TextCodec, codec_of

#: Bytes read from one file in its turn; also what bounds a batch.
BLOCK: Final = 256 * 1024
_CURSOR_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class FileCursor:
    """Where a file is read up to, and how to find it again.

    print  identifies what was read, and says up to which byte
    cut    a byte at which a record ends though the bytes do not say so; it was sent, so a replay must end there too
    """

    path: str
    inode: tuple[int, int]
    print: Fingerprint
    cut: int | None = None

    def fits(self, fd: int) -> bool:
        """Whether the open file is the one that was read."""
        return self.print.fits(fd) and os.fstat(fd).st_size >= (self.cut or 0)

    def to_json(self) -> Json:
        """As a source's cursor."""
        return {
            "v": _CURSOR_VERSION,
            "path": self.path,
            "dev": self.inode[0],
            "ino": self.inode[1],
            "print": self.print.to_json(),
            "cut": self.cut,
        }

    @classmethod
    def from_json(cls, value: Json) -> FileCursor:
        """The inverse of `to_json`. Raises ValueError when it is not one."""
        if not isinstance(value, dict) or value.get("v") != _CURSOR_VERSION:
            raise ValueError(f"not a file cursor of version {_CURSOR_VERSION}")
        path, dev, ino, cut = value.get("path"), value.get("dev"), value.get("ino"), value.get("cut")
        if not (isinstance(path, str) and isinstance(dev, int) and isinstance(ino, int)):
            raise ValueError("a file cursor has path, dev and ino")
        return cls(path, (dev, ino), from_json(value.get("print")), cut if isinstance(cut, int) else None)


class Replaced(Exception):
    """The file no longer holds what was read of it: it was truncated, or written anew in place."""


@dataclass(slots=True)
class FileStream:
    """An open file and the place up to which its records were handed over.

    pending    bytes that were read and not handed over
    head, tail of what was read, as a fingerprint takes them
    announced  bytes of the head that a saved cursor knows
    """

    path: str
    name: str
    fd: int
    inode: tuple[int, int]
    format: Format
    codec: TextCodec
    position: int
    modified: datetime
    framer: Callable[[], Framer]
    cut: int | None = None
    pending: bytes = b""
    head: bytes = b""
    tail: bytes = b""
    announced: int = 0
    grown: float = 0.0

    @classmethod
    def open(cls, path: str, form: Format, encoding: str | None, framer: Callable[[], Framer] | None = None) -> Self:
        """A new stream at the start of the file. Raises OSError."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(fd)
        codec = codec_of(os.pread(fd, HEAD_BYTES, 0), encoding)
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        name = f"{os.path.basename(path)}-{secrets.token_hex(8)}"
        stream = cls(
            path, name, fd, (status.st_dev, status.st_ino), form, codec, codec.bom, modified, framer or form.framer
        )
        stream.head, stream.tail = ends(fd, codec.bom)
        return stream

    def resume(self, name: str, cursor: FileCursor) -> None:
        """Go on as the stream `name` that `cursor` belongs to."""
        self.name, self.path, self.cut = name, cursor.path, cursor.cut
        self.position = max(cursor.print.offset, self.codec.bom)
        _, self.tail = ends(self.fd, self.position)
        self.head = os.pread(self.fd, min(HEAD, cursor.print.known), 0)
        self.announced = cursor.print.size

    def close(self) -> None:
        """Release the file."""
        os.close(self.fd)

    def cursor(self) -> FileCursor:
        """The cursor behind everything that was handed over; made from memory, so a truncation cannot spoil it."""
        return FileCursor(self.path, self.inode, of(self.position, self.head, self.tail), self.cut)

    def read(self) -> bool:
        """Take in one block; True when there was something new. Raises Replaced when the file is another one now."""
        data = b"" if len(self.pending) >= 2 * BLOCK else os.pread(self.fd, BLOCK, self.position + len(self.pending))
        if os.fstat(self.fd).st_size < self.position + len(self.pending) or not self._unchanged_before():
            raise Replaced  # checked behind the read: what was truncated before it must not be taken for the old file's
        self.pending += data
        if self.position < HEAD:
            self.head = (self.head[: self.position] + self.pending)[:HEAD]
        return bool(data)

    def _unchanged_before(self) -> bool:
        """Whether the bytes before those just read are still the ones that were read before."""
        known = self.pending[-64:] if len(self.pending) >= 64 else (self.tail[-64:] + self.pending)[-64:]
        return os.pread(self.fd, len(known), self.position + len(self.pending) - len(known)) == known

    def portion(self) -> Stretch:
        """The whole records in what was read, up to the cut if there is one."""
        data, final = self.pending, False
        if self.cut is not None:
            final = self.position + len(data) >= self.cut
            data = data[: self.cut - self.position]
        stretch = records(data, self.position, self.codec, self.framer(), final=final)
        self._advance(stretch.used)
        return stretch

    def announcement(self) -> Json | None:
        """A cursor that must be saved before more is sent, if there is one: the saved one does not know as much of the
        file's head as was read, and a file that begins otherwise could be taken for this one after a crash."""
        if len(self.head) <= self.announced:
            return None
        self.announced = len(self.head)
        return self.cursor().to_json()

    def cut_open_record(self, *, partial_line: bool) -> bool:
        """Decide that the open record ends with what was read, with its last line even if that has no line end yet
        (`partial_line`). True when there was one: then the cursor must be saved before `portion` is sent."""
        size = len(self.pending) if partial_line else self.codec.whole_lines(self.pending)
        if not self.pending[:size].strip(b"\0 \t\r\n"):
            return False
        self.cut = self.position + size
        return True

    def _advance(self, used: int) -> None:
        passed = self.pending[:used]
        self.tail = (self.tail + passed[-TAIL:])[-TAIL:]
        self.position += used
        self.pending = self.pending[used:]
        if self.cut is not None and self.position >= self.cut:
            self.cut = None
