"""The file input: discovers files, gives each its stream, and yields their batches in turn."""

from __future__ import annotations

import asyncio
import errno
import glob
import os
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from logintel.batch import Batch, Cursor
from logintel.event import Event
from logintel.formats import Reading
from logintel.inputs.files.config import TextFilesConfig
from logintel.inputs.files.decoding import marked
from logintel.inputs.files.discovery import Found, scan
from logintel.inputs.files.records import Stretch
from logintel.inputs.files.registry import Parked, Registry
from logintel.inputs.files.stream import FileCursor, FileStream, Replaced
from logintel.inputs.files.text import HEAD_BYTES, is_binary
from logintel.lines import Lines
from logintel.source import InputExhausted, SourceContext

#: A file that was not written for so long is read with its own date as the reference for stamps without a year.
OLD: Final = timedelta(days=1)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often files are looked at. All in seconds.

    poll     between looks at open files
    scan     between looks for new ones
    settle   without growth after which an open record is taken for whole
    quiet    without growth after which a file is closed (it is found again when it grows)
    copying  that a file which looks like a copy in the making (copytruncate) is given to become one
    """

    poll: float = 0.2
    scan: float = 1.0
    settle: float = 1.0
    quiet: float = 30.0
    copying: float = 60.0


@dataclass(slots=True)
class FileInput:
    """Reads the files that `config` names, for a source's `batches`."""

    config: TextFilesConfig
    context: SourceContext
    pace: Pace = field(default_factory=Pace)
    registry: Registry = field(init=False)
    _known_problems: set[str] = field(default_factory=set)
    _waiting: dict[tuple[int, int], float] = field(default_factory=dict)
    _binary: dict[tuple[int, int], str] = field(default_factory=dict)
    _scanned: float = float("-inf")

    def __post_init__(self) -> None:
        self.registry = Registry(self._open)

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """Batches of all files, a block of each file in turn; raises InputExhausted in a run that ends."""
        self.registry.parked = {name: Parked(name, cursor) for name, cursor in self._readable(cursors)}
        try:
            async with aclosing(self._all()) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self.registry.close()

    async def _all(self) -> AsyncGenerator[Batch, None]:
        while True:
            if time.monotonic() - self._scanned >= self.pace.scan and not (self.context.once and self.registry.open):
                for batch in await self._look():
                    yield batch
            progress = False
            for stream in list(self.registry.open.values()):
                for batch in self._turn(stream):
                    progress = True
                    yield batch
            if not progress:
                await self._idle()

    def _readable(self, cursors: Mapping[str, Cursor]) -> Iterator[tuple[str, FileCursor]]:
        for name, cursor in cursors.items():
            try:
                yield name, FileCursor.from_json(cursor)
            except ValueError as error:
                _log.error("cursor_unreadable", stream=name, reason=str(error), effect="its file is read again")

    async def _idle(self) -> None:
        if not self.context.once:
            await asyncio.sleep(self.pace.poll)
        elif self.registry.deferred:
            self._scanned = float("-inf")
        elif not self.registry.open:
            raise InputExhausted

    async def _look(self) -> list[Batch]:
        """Look for files: resume those that are known, announce those that are new, end those that are gone."""
        found = await asyncio.to_thread(scan, self.config.paths, self._exclude())
        self._scanned = time.monotonic()
        for path, reason in found.problems.items():
            self._problem(path, reason)
        present = {file.inode for file in found.files}
        self._binary = {inode: path for inode, path in self._binary.items() if inode in present}
        batches = [batch for file in self.registry.settle(found.files) for batch in self._meet(file)]
        for parked in self.registry.orphans(present):
            if parked.size != parked.cursor.print.offset:
                _log.warning("file_gone", path=parked.cursor.path, read_up_to=parked.cursor.print.offset)
            batches.append(Batch((), None, parked.name, ended=True))
        return batches

    def _exclude(self) -> tuple[str, ...]:
        own = self.context.own
        return (*self.config.exclude, f"{glob.escape(own)}/*") if own else self.config.exclude

    def _meet(self, found: Found) -> Iterator[Batch]:
        """A file that is not known yet: announce its stream, unless it must wait or is no text."""
        if not found.status.st_size or self._binary.get(found.inode) == found.path or self._looks_copied(found):
            return
        try:
            stream = self._open(found)
        except FileNotFoundError:
            return  # renamed or deleted at this very moment: the next look sees what it became
        except OSError as error:
            self._problem(found.path, error.strerror or str(error))
            return
        if self._is_text(stream):
            self.registry.open[stream.name] = stream
            stream.grown = time.monotonic()
            yield Batch((), stream.announcement(), stream.name, stamp=_stamp(stream.modified))
        else:
            stream.close()

    def _is_text(self, stream: FileStream) -> bool:
        """Whether the file can be read, and is text; then its first block is read."""
        try:
            if not is_binary(os.pread(stream.fd, HEAD_BYTES, 0), stream.codec):
                stream.read()
                return True
        except Replaced:
            return False  # truncated at this very moment
        except OSError as error:
            self._problem(stream.path, error.strerror or str(error))
            return False
        self._binary[stream.inode] = stream.path
        self._notice(f"{stream.path}: skipped, it is a binary file (NUL bytes at its start)")
        return False

    def _looks_copied(self, found: Found) -> bool:
        since = self._waiting.setdefault(found.inode, time.monotonic())
        waits = not self.context.once and time.monotonic() - since < self.pace.copying and self.registry.copied(found)
        if not waits:
            del self._waiting[found.inode]
        return waits

    def _turn(self, stream: FileStream) -> Iterator[Batch]:
        """One block of one file."""
        now = time.monotonic()
        try:
            grew = stream.read()
        except Replaced:
            yield from self._replaced(stream)
            return
        except OSError as error:
            self._problem(stream.path, error.strerror or str(error))
            self.registry.park(stream)
            return
        if grew:
            stream.grown = now
        yield from self._hand_over(stream)
        if grew or stream.cut is not None:
            return
        if self.context.once:
            yield from self._cut(stream, partial_line=True)
        elif now - stream.grown >= self.pace.settle and not self._deleted(stream):
            yield from self._cut(stream, partial_line=False)
        if self.context.once or now - stream.grown >= self.pace.quiet or (self.registry.full and not stream.pending):
            yield from self._rest(stream)

    def _rest(self, stream: FileStream) -> Iterator[Batch]:
        """Close a file that does not grow; end its stream if it was deleted meanwhile."""
        if self._deleted(stream):
            yield from self._finish(stream)
        elif stream.name in self.registry.open:
            self.registry.park(stream)

    def _replaced(self, stream: FileStream) -> Iterator[Batch]:
        """Truncated: the rest is in the copy that rotation made; else what was taken in is the end of it."""
        if self.registry.move(stream):
            return
        _log.warning("file_truncated", path=stream.path, read_up_to=stream.position + len(stream.pending))
        yield from self._finish(stream)

    def _finish(self, stream: FileStream) -> Iterator[Batch]:
        yield from self._cut(stream, partial_line=True)
        self.registry.forget(stream)
        yield Batch((), None, stream.name, ended=True)

    def _cut(self, stream: FileStream, *, partial_line: bool) -> Iterator[Batch]:
        if stream.cut_open_record(partial_line=partial_line):
            yield Batch((), stream.cursor().to_json(), stream.name)
            yield from self._hand_over(stream)

    def _hand_over(self, stream: FileStream) -> Iterator[Batch]:
        """Every whole record that was read."""
        if announcement := stream.announcement():
            yield Batch((), announcement, stream.name)
        while stream.pending:
            before = stream.position
            portion = stream.portion()
            if stream.position == before:
                return
            if portion.texts:
                yield self._batch(stream, portion)

    def _batch(self, stream: FileStream, portion: Stretch) -> Batch:
        reading = self._reading(stream)
        events: Sequence[Event] | Lines = Lines(portion.texts, stream.format, reading)
        spans = portion.spans
        if portion.cut or portion.damaged:
            events, numbers = marked(stream.format, portion, reading)
            spans = [portion.spans[number] for number in numbers]
        return Batch(events, stream.cursor().to_json(), stream.name, spans, metadata={"log_file": stream.path})

    def _reading(self, stream: FileStream) -> Reading:
        now = self.context.now()
        return self.config.reading(stream.modified if now - stream.modified > OLD else now)

    def _open(self, found: Found) -> FileStream:
        """Raises OSError; FileNotFoundError also when another file has that name now."""
        config = self.config
        form = config.form(self.context.formats)
        stream = FileStream.open(found.path, form, config.encoding, config.framing())
        if stream.inode != found.inode:
            stream.close()
            raise FileNotFoundError(errno.ENOENT, "renamed meanwhile", found.path)
        return stream

    def _deleted(self, stream: FileStream) -> bool:
        return os.fstat(stream.fd).st_nlink == 0

    def _problem(self, path: str, reason: str) -> None:
        if path not in self._known_problems:
            self._known_problems.add(path)
            self.context.report(f"{path}: {reason}")

    def _notice(self, text: str) -> None:
        if text not in self._known_problems:
            self._known_problems.add(text)
            self.context.notice(text)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
