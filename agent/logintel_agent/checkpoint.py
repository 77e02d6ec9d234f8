"""The checkpoint: each stream's id, cursor and clock, appended and fsynced as one JSON line.

A file of lines `crc32 json`, readable by a person. The last line of a stream counts. A torn or damaged line is skipped
and counted; the file is rewritten in one atomic step when it has grown to several times what it says.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from logintel.batch import Cursor
from logintel.bus.segment_writer import sync_directory
from logintel.event import TimestampOrigin
from logintel.identity import new_stream_id
from logintel.refused import Refused
from logintel_agent.checked_lines import entry_of, line_of, write_whole

_Key: TypeAlias = tuple[str, str]

VERSION: Final = 1
_COMPACT_BYTES: Final = 256 * 1024
_COMPACT_FACTOR: Final = 4

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a stream is: everything that makes a replay from here give the same events again.

    id      hex, the stream's identity on the wire
    cursor  the source's own
    count   events of the stream so far
    stamp   timestamp for the next event that states none, and `origin`, where it came from
    partition  of the bus, fixed at birth; None: not chosen yet, or the bus has none
    """

    id: str
    cursor: Cursor
    count: int
    stamp: str
    origin: TimestampOrigin
    partition: int | None = None


class Checkpoint:
    """The marks of one worker. `record` is cheap; nothing is promised before `save` returned."""

    def __init__(self, path: Path, machine: str) -> None:
        """Read what is there. `machine` identifies the host: on another one all streams get new ids and keep their
        cursors, since the old host may still be sending under the old ids. Raises Refused, OSError."""
        self._path = path
        self._machine = machine
        self._marks: dict[_Key, Mark] = {}
        self._unsaved: dict[_Key, Mark | None] = {}
        self._lock = asyncio.Lock()
        self._fd = -1
        self._size = self._live = 0
        self.damaged = 0
        self._read()
        self._replace_by(self._compacted())

    def cursors(self, source: str) -> dict[str, Cursor]:
        """The saved cursor of each of a source's streams that has one."""
        return {
            stream: mark.cursor
            for (name, stream), mark in self._marks.items()
            if name == source and mark.cursor is not None
        }

    def mark(self, source: str, stream: str) -> Mark | None:
        """Where the stream is; None when it was never seen, or has ended."""
        return self._marks.get((source, stream))

    def record(self, source: str, stream: str, mark: Mark | None) -> None:
        """Note where the stream is now; None: it has ended and is forgotten."""
        key = (source, stream)
        if mark is None:
            self._marks.pop(key, None)
        else:
            self._marks[key] = mark
        self._unsaved[key] = mark

    async def save(self) -> None:
        """Make everything recorded so far durable; callers at the same time share one fsync.

        Raises OSError (a full disk); then it is still unsaved, and the next call tries again.
        """
        async with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
            if not unsaved:
                return
            block = b"".join(line_of(_entry(*key, mark)) for key, mark in unsaved.items())
            try:
                if self._size + len(block) > max(_COMPACT_BYTES, _COMPACT_FACTOR * self._live):
                    await asyncio.to_thread(self._replace_by, self._compacted())
                else:
                    await asyncio.to_thread(self._append, block)
            except OSError:
                self._unsaved = unsaved | self._unsaved
                raise

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)

    def _read(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        renew = False
        for line in filter(None, data.split(b"\n")):
            entry = entry_of(line)
            if entry is None:
                self.damaged += 1
            elif "machine" in entry:
                renew = self._is_moved(entry)
            else:
                self._replay(entry, renew=renew)
        if self.damaged:
            _log.warning("checkpoint_lines_damaged", path=str(self._path), lines=self.damaged)

    def _is_moved(self, head: dict[str, Any]) -> bool:
        if head["v"] > VERSION:
            raise Refused(f"{self._path} was written by a newer logintel (version {head['v']}): use that one again")
        return bool(self._machine) and head["machine"] not in ("", self._machine)

    def _replay(self, entry: dict[str, Any], *, renew: bool) -> None:
        key, mark = (entry["source"], entry["stream"]), entry["mark"]
        if mark is None:
            self._marks.pop(key, None)
            return
        known = Mark(**{name: mark[name] for name in Mark.__slots__ if name in mark})
        self._marks[key] = replace(known, id=new_stream_id().hex()) if renew else known

    def _compacted(self) -> bytes:
        """A file that says the same in one line per stream."""
        head = line_of({"v": VERSION, "machine": self._machine})
        return head + b"".join(line_of(_entry(*key, mark)) for key, mark in self._marks.items())

    def _append(self, block: bytes) -> None:
        try:
            write_whole(self._fd, block)
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(block)

    def _replace_by(self, block: bytes) -> None:
        fresh = self._path.with_suffix(".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            write_whole(fd, block)
            os.fsync(fd)
            fresh.rename(self._path)
            sync_directory(self._path.parent)
        except OSError:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size, self._live = fd, len(block), len(block)


def machine_id() -> str:
    """What identifies this installation of the operating system (machine-id(5)); empty where there is none."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _entry(source: str, stream: str, mark: Mark | None) -> dict[str, object]:
    return {"source": source, "stream": stream, "mark": asdict(mark) if mark else None}
