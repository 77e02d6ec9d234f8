"""Files of dead letters: segments of one directory, bounded in bytes and age, that only their owner may read.

A segment is named by the time of its first letter. Whoever changes the files holds the directory's lock for as long as
that takes: the agent, and the command that removes letters while the agent runs.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import structlog

from logintel.bus.segment_writer import sync_directory
from logintel.locking import DirectoryLock
from logintel_agent.checked_lines import write_whole
from logintel_agent.kept_letter import Kept, kept_of, lines_in

_SUFFIX: Final = ".letters"
_NAME: Final = "%Y%m%dT%H%M%S.%fZ"
_COUNTS: Final = "dropped.json"
#: Of the room and of the age, what one segment takes: the grain in which letters are dropped.
_PARTS: Final = 8
_log = structlog.get_logger(__name__)


class Found(NamedTuple):
    """A letter and the line that it stands in."""

    line: bytes
    kept: Kept


class DeadLetterFiles:
    """The letters in `directory`; at most `max_bytes`, none older than `max_age` seconds and an eighth.

    damaged  lines that the last `read` had to skip
    """

    def __init__(self, directory: Path, max_bytes: int, max_age: float) -> None:
        self.directory, self.damaged = directory, 0
        self._max_bytes, self._max_age = max_bytes, max_age

    def append(self, lines: Sequence[bytes]) -> None:
        """Return when the lines are on disk; the oldest letters make room. Raises OSError, DirectoryLocked."""
        with self._locked():
            self._expire()
            for line in lines:
                self._add(line)

    def expire(self) -> None:
        """Drop what is too old. Raises OSError, DirectoryLocked."""
        if self.segments():
            with self._locked():
                self._expire()

    def read(self) -> Iterator[Found]:
        """Every letter, oldest first. Raises OSError."""
        self.damaged = 0
        for segment in self.segments():
            with suppress(FileNotFoundError):  # it was emptied meanwhile
                yield from self._read(segment)

    def newest(self) -> list[Found]:
        """The letters of the newest segment. Raises OSError."""
        return [found for segment in self.segments()[-1:] for found in self._read(segment)]

    def remove(self, lines: Collection[bytes]) -> int:
        """Take the letters of these lines out of the files; how many were there. Raises OSError, DirectoryLocked."""
        with self._locked():
            return sum(self._without(segment, lines) for segment in self.segments())

    def dropped(self) -> Mapping[str, int]:
        """Letters that were dropped for a bound since the directory was made, by the bound's name."""
        try:
            counts: dict[str, int] = orjson.loads((self.directory / _COUNTS).read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return counts

    def segments(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.directory.glob(f"*{_SUFFIX}"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = DirectoryLock(self.directory)
        try:
            yield
        finally:
            lock.release()

    def _read(self, segment: Path) -> Iterator[Found]:
        for line in lines_in(segment.read_bytes()):
            kept = kept_of(line)
            if kept is None:
                self.damaged += 1
            else:
                yield Found(line, kept)

    def _add(self, line: bytes) -> None:
        if len(line) > self._max_bytes:
            self._count(Counter(max_bytes=1))
            return
        held = {segment: segment.stat().st_size for segment in self.segments()}
        while held and sum(held.values()) + len(line) > self._max_bytes:
            oldest = next(iter(held))
            self._drop(oldest, "max_bytes")
            del held[oldest]
        last = next(reversed(held), None)
        if last is None or held[last] + len(line) > self._max_bytes // _PARTS or self._is_full_of_time(last):
            last = self.directory / f"{datetime.now(UTC).strftime(_NAME)}{_SUFFIX}"
        self._write(last, line)

    def _write(self, segment: Path, line: bytes) -> None:
        is_new = not segment.exists()
        fd = os.open(segment, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            is_torn = size and os.pread(fd, 1, size - 1) != b"\n"
            try:
                write_whole(fd, b"\n" + line if is_torn else line)
                os.fsync(fd)
            except OSError:
                os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)
        if is_new:
            sync_directory(self.directory)

    def _without(self, segment: Path, lines: Collection[bytes]) -> int:
        before = list(lines_in(segment.read_bytes()))
        after = [line for line in before if line not in lines]
        if len(after) == len(before):
            return 0
        if after:
            self._rewrite(segment, after)
        else:
            segment.unlink()
        sync_directory(self.directory)
        return len(before) - len(after)

    def _rewrite(self, segment: Path, lines: Sequence[bytes]) -> None:
        fresh, was = segment.with_suffix(".new"), segment.stat()
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_whole(fd, b"".join(line + b"\n" for line in lines))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.chown(fresh, was.st_uid, was.st_gid)
        os.utime(fresh, ns=(was.st_atime_ns, was.st_mtime_ns))  # its age stays
        fresh.rename(segment)

    def _expire(self) -> None:
        now = time.time()
        for segment in self.segments():
            if now - segment.stat().st_mtime > self._max_age:
                self._drop(segment, "max_age")

    def _is_full_of_time(self, segment: Path) -> bool:
        begun = datetime.strptime(segment.stem, _NAME).replace(tzinfo=UTC)
        return time.time() - begun.timestamp() > self._max_age / _PARTS

    def _drop(self, segment: Path, bound: str) -> None:
        letters = Counter({bound: sum(1 for _ in lines_in(segment.read_bytes()))})
        segment.unlink()
        self._count(letters)

    def _count(self, letters: Counter[str]) -> None:
        """Note what was dropped, and say it."""
        total = Counter(self.dropped()) + letters
        ((bound, count),) = letters.items()
        _log.error("dead_letters_dropped", bound=f"agent.dead_letters.{bound}", letters=count, total=total[bound])
        fresh = self.directory / f"{_COUNTS}.new"
        try:
            fresh.write_bytes(orjson.dumps(total))
            fresh.rename(self.directory / _COUNTS)
        except OSError as error:  # the count must not keep a full disk from taking letters
            _log.error("dead_letters_count_not_saved", reason=str(error))
