"""The checkpoint: each stream's id, cursor, clock and ledger, appended and fsynced as one JSON line.

A file of checked lines (logintel_agent.checkpoint_contents says which), readable by a person. The last line of a stream
counts. A torn or damaged line is skipped and counted; the file is rewritten in one atomic step when it has grown to
several times what it says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from logintel.batch import Cursor
from logintel.bus.segment_writer import sync_directory
from logintel_agent.checked_lines import line_of, write_whole
from logintel_agent.checkpoint_contents import VERSION, Contents, Key
from logintel_agent.ledger import Settled, StreamLedger, this_hour
from logintel_agent.mark import Mark

_COMPACT_BYTES: Final = 256 * 1024
_COMPACT_FACTOR: Final = 4
#: Is told of each stream that went on: source, stream, its mark, its ledger, and whether it has ended.
Watcher = Callable[[str, str, Mark, StreamLedger, bool], None]

_log = structlog.get_logger(__name__)


class Checkpoint:
    """The marks and ledgers of one worker. `record` is cheap; nothing is promised before `save` returned."""

    def __init__(self, path: Path, machine: str, hour: Callable[[], int] = this_hour) -> None:
        """Read what is there. `machine` identifies the host: on another one all streams get new ids and keep their
        cursors, since the old host may still be sending under the old ids. `hour`: the clock, hours since 1970, UTC.
        Raises Refused, OSError."""
        self._watcher: Watcher | None = None
        self._path = path
        self._machine = machine
        self._hour = hour
        self._contents = Contents.read(path, machine)
        for ledger in self._contents.ledgers.values():
            ledger.waiting = 0  # what waited is read again
        #: Streams that went on → how many of their newest ranges are not on disk; and the lines of those that ended.
        self._unsaved: dict[Key, int] = {}
        self._endings: list[bytes] = []
        self._whole = False
        self._lock = asyncio.Lock()
        self._fd = -1
        self._size = self._live = 0
        if self.damaged:
            _log.warning("checkpoint_lines_damaged", path=str(path), lines=self.damaged)
        self._replace_by(self._compacted())

    @property
    def damaged(self) -> int:
        """Lines that could not be read."""
        return self._contents.damaged

    def cursors(self, source: str) -> dict[str, Cursor]:
        """The saved cursor of each of a source's streams that has one."""
        return {
            stream: mark.cursor
            for (name, stream), mark in self._contents.marks.items()
            if name == source and mark.cursor is not None
        }

    def marks(self) -> Mapping[Key, Mark]:
        """The marks of all streams."""
        return self._contents.marks

    def mark(self, source: str, stream: str) -> Mark | None:
        """Where the stream is; None when it was never seen, or has ended."""
        return self._contents.marks.get((source, stream))

    def ledger(self, source: str, stream: str) -> StreamLedger | None:
        """What became of the stream's events; None when it was never seen, or has ended."""
        return self._contents.ledgers.get((source, stream))

    def record(self, source: str, stream: str, mark: Mark | None, settled: Settled | None = None) -> None:
        """Note where the stream is now, and what became of the events before it; None: it has ended and is forgotten.

        An ended stream's last events are settled by a mark before that.
        """
        key = (source, stream)
        if mark is not None:
            begun = self._contents.settle(key, mark, settled, self._hour())
            self._unsaved[key] = max(1, self._unsaved.get(key, 0) + begun)
            self._tell(key, ended=False)
            return
        self._tell(key, ended=True)
        self._unsaved.pop(key, None)
        self._endings.append(line_of(self._contents.end(key)))

    def waits(self, source: str, stream: str, events: int) -> None:
        """Note how many events of the stream are read and not settled."""
        ledger = self._contents.ledgers.get((source, stream))
        if ledger is not None and ledger.waiting != events:
            ledger.waiting = events
            self._unsaved.setdefault((source, stream), 0)

    def nothing_waits(self, source: str) -> None:
        """What the source had read and nobody settled is read again."""
        for name, stream in list(self._contents.ledgers):
            if name == source:
                self.waits(source, stream, 0)

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of each stream that is known, and from now on of each that goes on."""
        self._watcher = watcher
        for key in self._contents.marks:
            self._tell(key, ended=False)

    async def save(self) -> None:
        """Make everything recorded so far durable; callers at the same time share one fsync.

        Raises OSError that names the file (a full disk); then it is still unsaved, and the next call tries again.
        """
        async with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
            endings, self._endings = self._endings, []
            if not (unsaved or endings):
                return
            block = b"".join([*endings, *(line_of(self._contents.entry(*item)) for item in unsaved.items())])
            try:
                if self._whole or self._size + len(block) > max(_COMPACT_BYTES, _COMPACT_FACTOR * self._live):
                    self._whole = True  # until that is done: half done, its endings are said already
                    await asyncio.to_thread(self._replace_by, self._compacted())
                    self._whole = False
                else:
                    await asyncio.to_thread(self._append, block)
            except OSError as error:
                error.filename = error.filename or str(self._path)  # a write names no file by itself
                self._unsaved = _joined(unsaved, self._unsaved, self._contents.marks)
                self._endings = endings + self._endings
                raise

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)

    def _tell(self, key: Key, *, ended: bool) -> None:
        if self._watcher is not None and (mark := self._contents.marks.get(key)) is not None:
            self._watcher(*key, mark, self._contents.ledgers[key], ended)

    def _compacted(self) -> bytes:
        """A file that says the same in one line per stream."""
        head = line_of({"v": VERSION, "machine": self._machine})
        return head + b"".join(map(line_of, self._contents.entries()))

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


def _joined(earlier: dict[Key, int], later: dict[Key, int], known: Mapping[Key, Mark]) -> dict[Key, int]:
    """Unsaved ranges of both; what has ended meanwhile is said elsewhere."""
    keys = [key for key in earlier | later if key in known]
    return {key: earlier.get(key, 0) + later.get(key, 0) for key in keys}
