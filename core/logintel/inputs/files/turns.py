"""Turns: what one look at an open file gives, until it has nothing more, is deleted, or is another file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from logintel.batch import Batch
from logintel.event import Event
from logintel.formats import Reading
from logintel.inputs.files.config import TextFilesConfig
from logintel.inputs.files.decoding import marked
from logintel.inputs.files.gzipped import GzipContent
from logintel.inputs.files.pace import Pace
from logintel.inputs.files.packed import PackedFiles
from logintel.inputs.files.parked import is_moved
from logintel.inputs.files.records import Stretch
from logintel.inputs.files.registry import Registry
from logintel.inputs.files.stream import FileStream, Replaced
from logintel.inputs.files.telling import Telling
from logintel.lines import Lines
from logintel.source import SourceContext

#: A file that was not written for so long is read with its own date as the reference for stamps without a year.
OLD: Final = timedelta(days=1)
#: Blocks that a file may give before one that waits is opened in its place.
TURNS: Final = 8

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Turns:
    """Reads the registry's open files, a block at a time."""

    config: TextFilesConfig
    context: SourceContext
    pace: Pace
    registry: Registry
    packed: PackedFiles
    telling: Telling

    def turn(self, stream: FileStream) -> Iterator[Batch]:
        """One block of one file."""
        now = time.monotonic()
        try:
            grew = stream.read()
        except Replaced:
            yield from self._replaced(stream)
            return
        except OSError as error:
            self.telling.problem(stream.path, error.strerror or str(error))
            self.registry.park(stream)
            return
        if stream.reached > stream.highest:
            stream.grown, stream.highest = now, stream.reached
        yield from self._hand_over(stream)
        if stream.cut is not None:
            return
        if stream.content.packed:
            yield from () if grew else self._unpacked(stream, now)
        elif not grew or (stream.caught_up and self._crowded):
            yield from self._rested(stream, now)
        else:
            self._give_way(stream)

    @property
    def _crowded(self) -> bool:
        return bool(self.registry.waiting) and not self.context.once

    def _rested(self, stream: FileStream, now: float) -> Iterator[Batch]:
        """The file did not grow: its open record may be whole, and it may be closed."""
        deleted = stream.deleted
        if self.context.once:
            yield from self._cut(stream, partial_line=True)
        elif now - stream.grown >= self.pace.settle and not deleted:
            yield from self._cut(stream, partial_line=False)
        if self.context.once or now - stream.grown >= self.pace.quiet:
            if deleted or is_moved(stream.path, stream.inode):
                yield from self._cut(stream, partial_line=True)
            self.registry.park(stream)
        else:
            self._give_way(stream)

    def _give_way(self, stream: FileStream) -> None:
        """When others wait: close a file that was read to its end, or had its share. One that is deleted could not be
        opened again."""
        ready = self._crowded and (stream.caught_up or stream.turns >= TURNS)
        if ready and not stream.deleted:
            self.registry.park(stream, restless=not stream.caught_up or bool(stream.open_record(partial_line=False)))

    def _unpacked(self, stream: FileStream, now: float) -> Iterator[Batch]:
        """A compressed file gave all it has now: whole, damaged, or still being written."""
        content = stream.content
        if not isinstance(content, GzipContent):
            return
        over = content.ended or content.problem is not None
        if not over and not self.context.once and now - stream.grown < self.pace.copying:
            return
        if not content.ended:
            self.telling.problem(
                stream.path,
                f"damaged gzip behind inflated byte {stream.reached} ({content.problem or 'its end is missing'}); "
                "what stands before it is read: restore the file if more was in it",
            )
        yield from self._cut(stream, partial_line=True)
        status = os.fstat(content.fd)
        stream.done = (status.st_size, status.st_mtime_ns)
        yield Batch((), stream.cursor().to_json(), stream.name)
        self.registry.park(stream)

    def _replaced(self, stream: FileStream) -> Iterator[Batch]:
        """Truncated: the rest is in the copy that rotation made; else what was taken in is the end of it."""
        if self.registry.move(stream):
            return
        if self.packed.holds(stream):
            self.registry.park(stream)
            self.registry.doubtful = True  # the next look inflates it
            return
        self.telling.unread(stream.path, stream.reached, stream.unread, "file_truncated")
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
