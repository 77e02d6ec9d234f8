"""The file input: discovers files, gives each its stream, and yields their batches in turn."""

from __future__ import annotations

import asyncio
import errno
import glob
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from logintel.batch import Batch, Cursor
from logintel.inputs.files.config import TextFilesConfig
from logintel.inputs.files.content import Content, open_content
from logintel.inputs.files.copies import Copies
from logintel.inputs.files.cursor import FileCursor, Inode
from logintel.inputs.files.discovery import Found, Scan, at, scan
from logintel.inputs.files.families import Families
from logintel.inputs.files.pace import Looks, Pace
from logintel.inputs.files.packed import PackedFiles
from logintel.inputs.files.parked import Parked
from logintel.inputs.files.registry import Registry
from logintel.inputs.files.standing import standing
from logintel.inputs.files.stream import FileStream, Replaced
from logintel.inputs.files.telling import Telling
from logintel.inputs.files.text import HEAD_BYTES, is_binary
from logintel.inputs.files.turns import Turns
from logintel.inputs.files.watching import Watcher
from logintel.source import InputExhausted, SourceContext
from logintel.standing import Standing

#: Looks that have to miss a stream's file before the stream is over.
MISSED: Final = 3

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FileInput:
    """Reads the files that `config` names, for a source's `batches`."""

    config: TextFilesConfig
    context: SourceContext
    pace: Pace = field(default_factory=Pace)
    telling: Telling = field(init=False)
    _registry: Registry = field(init=False)
    _copies: Copies = field(init=False)
    _packed: PackedFiles = field(init=False)
    _turns: Turns = field(init=False)
    _looks: Looks = field(init=False)
    _watcher: Watcher | None = None
    _families: Families | None = None
    _binary: dict[Inode, str] = field(default_factory=dict)
    _looked: bool = False
    _heard: float = 0.0

    def __post_init__(self) -> None:
        once = self.context.once
        self.telling = Telling(self.context)
        self._registry = Registry(self._open)
        self._copies = Copies(self._registry, 0 if once else self.pace.copying)
        self._packed = PackedFiles(self._registry, self.pace, once, self._stream)
        self._turns = Turns(self.config, self.context, self.pace, self._registry, self._packed, self.telling)
        self._looks = Looks(self.pace, soon=True)
        if self.context.share:
            self._families = Families.of(self.context.share, self.config.name, whole=once)

    @property
    def unread_bytes(self) -> int:
        """Bytes that were seen in files and could not be read before they were gone."""
        return self.telling.unread_bytes

    def standing(self) -> Standing:
        """See Source."""
        return standing(self._registry, self.telling)

    async def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """Batches of all files, a block of each file in turn; raises InputExhausted in a run that ends."""
        self._registry.parked = {name: Parked.saved(name, cursor) for name, cursor in self._readable(cursors)}
        self._watcher = None if self.context.once else Watcher.start()
        try:
            async with aclosing(self._all()) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self._registry.close()
            if self._watcher:
                self._watcher.close()

    async def _all(self) -> AsyncGenerator[Batch, None]:
        while True:
            self._listen()
            if self._is_time():
                for batch in await self._look():
                    yield batch
            for found in self._registry.admit():
                for batch in self._meet(found):
                    yield batch
            self._looks.soon |= self._registry.doubtful
            async for batch in self._unpack():
                yield batch
            progress = False
            for stream in list(self._registry.open.values()):
                for batch in self._turns.turn(stream):
                    progress = True
                    yield batch
            if not progress:
                await self._idle()

    def _is_time(self) -> bool:
        """To look for files: regularly, or, in a run that ends, at its start and when one was not what it seemed."""
        once = self._looks.soon and not self._registry.open
        return once if self.context.once else self._looks.due()

    async def _idle(self) -> None:
        registry = self._registry
        if not self.context.once:
            await asyncio.sleep(self.pace.poll)
        elif not (registry.open or registry.waiting or registry.packed or self._looks.soon):
            raise InputExhausted

    def _listen(self) -> None:
        """Take notice of what the kernel says has changed."""
        if self._watcher and time.monotonic() - self._heard >= self.pace.poll:
            self._heard = time.monotonic()
            written, moved = self._watcher.changes()
            new = self._registry.written(found for path in written if (found := at(path)))
            self._looks.soon = self._looks.soon or moved or new

    def _readable(self, cursors: Mapping[str, Cursor]) -> Iterator[tuple[str, FileCursor]]:
        for name, cursor in cursors.items():
            try:
                yield name, FileCursor.from_json(cursor)
            except ValueError as error:
                _log.error("cursor_unreadable", stream=name, reason=str(error), effect="its file is read again")

    async def _look(self) -> list[Batch]:
        """Look for files: resume those that are known, announce those that are new, end those that are gone."""
        found, mine, cost = await asyncio.to_thread(self._measured)
        started = time.thread_time()
        if self._watcher:
            self._watcher.watch(found.folders | self._registry.folders)
        self.telling.look()
        for path, reason in found.problems.items():
            self.telling.problem(path, reason)
        present = {file.inode for file in found.files}
        self._binary = {inode: path for inode, path in self._binary.items() if inode in present}
        self._copies.look()
        self._packed.look(present)
        self._looked = True
        new = [file for file in mine if self._binary.get(file.inode) != file.path]
        batches = [batch for file in self._registry.settle(new) for batch in self._meet(file)]
        self._registry.look_beside(present)
        self._registry.packed.update({file.inode: file for file in self._packed.beside_missing()})
        self._looks.done(cost + time.thread_time() - started)
        return batches

    def _measured(self) -> tuple[Scan, Sequence[Found], float]:
        """What is there, what of it is this worker's, and the CPU seconds that it took to see."""
        started = time.thread_time()
        found = scan(self.config.paths, self._exclude())
        mine = self._families.mine(found.files) if self._families else found.files
        return found, mine, time.thread_time() - started

    async def _unpack(self) -> AsyncGenerator[Batch, None]:
        """Find the streams of compressed files; then those that have no file any more are known, and end."""
        registry = self._registry
        if self.context.once and (registry.open or registry.waiting):
            return  # first what they may be copies of
        while registry.packed and not registry.full:
            found = registry.packed.pop(next(iter(registry.packed)))
            try:
                stream = await self._packed.identify(found)
            except FileNotFoundError:
                self._packed.undecided = True  # renamed at this very moment: the next look sees what it became
                continue
            except OSError as error:
                self._refused(found, error)
                continue
            if stream and stream.name not in registry.open:
                for batch in self._begin(stream):
                    yield batch
        if self._looked and not registry.packed and not self._packed.undecided:
            self._looked = False
            for parked in registry.orphans(1 if self.context.once else MISSED):
                yield self._end(parked)

    def _end(self, parked: Parked) -> Batch:
        """The end of a stream that has no file any more."""
        offset = parked.cursor.print.offset
        whole = parked.size == offset or parked.cursor.done
        lost = 0 if whole else None if parked.seen is None else max(0, parked.seen - offset)
        if lost != 0:
            self.telling.unread(parked.cursor.path, offset, lost, "file_gone")
        return Batch((), None, parked.name, ended=True)

    def _exclude(self) -> tuple[str, ...]:
        own = self.context.own
        return (*self.config.exclude, f"{glob.escape(own)}/*") if own else self.config.exclude

    def _meet(self, found: Found) -> Iterator[Batch]:
        """A file that is not known yet: announce its stream, unless it must wait."""
        if self._copies.waits(found):
            return
        if self._registry.full:
            self._registry.enqueue(found)
            return
        try:
            stream = self._open(found)
        except OSError as error:
            self._refused(found, error)
            return
        yield from self._begin(stream)

    def _begin(self, stream: FileStream) -> Iterator[Batch]:
        """Announce a new stream, if it is text."""
        if not self._is_text(stream):
            stream.close()
            return
        self._registry.open[stream.name] = stream
        self._copies.add(stream)
        stream.grown, stream.highest = time.monotonic(), stream.reached
        yield Batch((), stream.announcement(), stream.name, stamp=_stamp(stream.modified))

    def _is_text(self, stream: FileStream) -> bool:
        """Whether the file can be read, and is text; then its first block is read."""
        try:
            if not is_binary(stream.content.at(0, HEAD_BYTES), stream.codec):
                stream.read()
                return True
        except Replaced:
            return False  # truncated at this very moment
        except OSError as error:
            self.telling.problem(stream.path, error.strerror or str(error))
            return False
        self._binary[stream.inode] = stream.path
        self.telling.notice(f"{stream.path}: skipped, it is a binary file (NUL bytes at its start)")
        return False

    def _refused(self, found: Found, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # renamed or deleted meanwhile: the next look sees what it became
            self.telling.problem(found.path, error.strerror or str(error))

    def _open(self, found: Found) -> FileStream:
        """Raises OSError; FileNotFoundError also when another file has that name now."""
        stream = self._stream(found, open_content(found.path))
        if stream.inode != found.inode:
            stream.close()
            raise FileNotFoundError(errno.ENOENT, "renamed meanwhile", found.path)
        return stream

    def _stream(self, found: Found, content: Content) -> FileStream:
        config = self.config
        form = partial(config.form_of, self.context.formats, found.path)
        return FileStream.on(found.path, content, form, config.encoding, config.framing())


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
