"""File streams: one incarnation of a file, read in order from where its cursor says."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from logintel.event import Json
from logintel.formats import Format, Framer
from logintel.inputs.files.content import Content
from logintel.inputs.files.cursor import FileCursor, Inode
from logintel.inputs.files.fingerprint import HEAD, TAIL, ends, of
from logintel.inputs.files.fixed import codec_for
from logintel.inputs.files.records import MAX_LINE, Stretch, records
from logintel.inputs.files.text import HEAD_BYTES, TextCodec

#: Bytes read from one file in its turn; also what bounds a batch.
BLOCK: Final = 256 * 1024


class Replaced(Exception):
    """The file no longer holds what was read of it: it was truncated, or written anew in place."""


@dataclass(slots=True)
class FileStream:
    """An open file and the place up to which its records were handed over.

    pending    bytes that were read and not handed over
    head, tail of what was read, as a fingerprint takes them
    announced  bytes of the head that a saved cursor knows
    caught_up  whether the last read came to the file's end
    highest    byte up to which the file was ever read, and `grown`, when (monotonic, in seconds)
    turns      blocks read since it was opened
    """

    path: str
    name: str
    content: Content
    inode: Inode
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
    real: str | None = None
    done: tuple[int, int] | None = None
    caught_up: bool = False
    highest: int = 0
    grown: float = 0.0
    turns: int = 0

    @classmethod
    def on(
        cls,
        path: str,
        content: Content,
        form: Callable[[bytes], Format | None],
        encoding: str | None,
        framer: Callable[[], Framer] | None,
    ) -> Self:
        """A new stream at the start of an open file, which it closes when this raises OSError. `form`: the format of
        a file that begins so; where that cannot be told yet, FileNotFoundError is raised."""
        try:
            return cls._begun(path, content, form, encoding, framer)
        except OSError:
            os.close(content.fd)
            raise

    @classmethod
    def _begun(
        cls,
        path: str,
        content: Content,
        make: Callable[[bytes], Format | None],
        encoding: str | None,
        framer: Callable[[], Framer] | None,
    ) -> Self:
        status = os.fstat(content.fd)
        head = content.at(0, HEAD_BYTES)
        form = make(head)
        if form is None or (form.fixed and not head):  # the first bytes of fixed records tell their encoding
            raise FileNotFoundError(errno.ENOENT, "nothing is in it yet that tells what it is", path)
        codec = codec_for(head, encoding, form.fixed)
        stream = cls(
            path,
            f"{os.path.basename(path)}-{secrets.token_hex(8)}",
            content,
            (status.st_dev, status.st_ino),
            form,
            codec,
            codec.bom,
            datetime.fromtimestamp(status.st_mtime, UTC),
            framer or form.framer,
        )
        stream.head, stream.tail = ends(content, codec.bom)
        real = os.path.realpath(path)
        stream.real = real if real != path else None
        return stream

    def resume(self, name: str, cursor: FileCursor) -> None:
        """Go on as the stream `name` that `cursor` belongs to."""
        self.name, self.path, self.cut, self.real = name, cursor.path, cursor.cut, cursor.real
        self.position = max(cursor.print.offset, self.codec.bom)
        _, self.tail = ends(self.content, self.position)
        self.head = self.content.at(0, min(HEAD, cursor.print.known))
        self.announced = cursor.print.size

    def close(self) -> None:
        """Release the file."""
        os.close(self.content.fd)

    @property
    def reached(self) -> int:
        """The byte up to which it is read, handed over or not."""
        return self.position + len(self.pending)

    @property
    def deleted(self) -> bool:
        """Whether the file has no name any more."""
        return os.fstat(self.content.fd).st_nlink == 0

    @property
    def unread(self) -> int:
        """Bytes that the file was last known to have, and that were not read."""
        waiting = 0 if self.codec.partial else len(self.pending)
        return waiting + max(0, (self.content.seen or 0) - self.reached)

    def cursor(self) -> FileCursor:
        """The cursor behind everything that was handed over; made from memory, so a truncation cannot spoil it."""
        return FileCursor(
            self.path, self.inode, of(self.position, self.head, self.tail), self.cut, self.real, self.done
        )

    def read(self) -> bool:
        """Take in one block; True when there was something new. Raises Replaced when the file is another one now."""
        room = len(self.pending) < 2 * BLOCK
        data = self.content.at(self.reached, BLOCK) if room else b""
        known = self.pending[-64:] if len(self.pending) >= 64 else (self.tail[-64:] + self.pending)[-64:]
        expected = self.head[self.reached : self.reached + BLOCK]  # it was read before, by an earlier life
        if not self.content.follows(self.reached, known) or (room and not data.startswith(expected)):
            raise Replaced  # checked behind the read: what was truncated before it must not be taken for the old file's
        self.turns += 1
        self.caught_up = room and len(data) < BLOCK
        self.pending += data
        if self.position < HEAD:
            self.head = (self.head[: self.position] + self.pending)[:HEAD]
        if data[-1:] == b"\0":
            self._skip_hole()
        return bool(data)

    def _skip_hole(self) -> None:
        """Pass over a hole of a sparse file, as truncation under a writer without O_APPEND leaves it, unread.

        By whole pieces of a line over the limit, so that what stands behind it has the place that reading gives it.
        """
        if self.cut is not None or not self.codec.partial or self.pending.strip(b"\0"):
            return
        skip = (self.content.next_data(self.reached) - 1 - self.position) // MAX_LINE * MAX_LINE
        if skip > len(self.pending):
            self.position, self.pending, self.tail = self.position + skip, b"", bytes(TAIL)

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

    def open_record(self, *, partial_line: bool) -> int:
        """Bytes of the record that waits for more, with its last line even if that has no line end yet
        (`partial_line`); 0 when there is none."""
        whole = not (partial_line and self.codec.partial)
        size = self.codec.whole_lines(self.pending) if whole else len(self.pending)
        return size if self.pending[:size].strip(b"\0 \t\r\n") else 0

    def cut_open_record(self, *, partial_line: bool) -> bool:
        """Decide that the open record ends with what was read. True when there was one: then the cursor must be saved
        before `portion` is sent."""
        size = self.open_record(partial_line=partial_line)
        if size:
            self.cut = self.position + size
        return bool(size)

    def _advance(self, used: int) -> None:
        passed = self.pending[:used]
        self.tail = (self.tail + passed[-TAIL:])[-TAIL:]
        self.position += used
        self.pending = self.pending[used:]
        if self.cut is not None and self.position >= self.cut:
            self.cut = None
