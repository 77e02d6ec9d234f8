"""Watching: which files and directories the kernel says have changed (inotify(7)), so that looking costs nothing.

Only a hint: what inotify does not see (network file systems) or has no watch for is found by the regular looks.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, Self

import structlog

#: Directories watched for one source; more are found by the regular looks alone.
MAX_WATCHES: Final = 4096
_MODIFY: Final = 0x2
_STRUCTURE: Final = 0x40 | 0x80 | 0x100 | 0x200  # moved from, moved to, created, deleted
_OVERFLOW: Final = 0x4000
_IGNORED: Final = 0x8000
_ONLY_DIRECTORIES: Final = 0x1000000
_HEADER: Final = struct.Struct("iIII")
_BUFFER: Final = 256 * 1024

_log = structlog.get_logger(__name__)


class Changes(NamedTuple):
    """`written`: paths of files that were written to. `moved`: whether names came, went or changed."""

    written: set[str]
    moved: bool


class Watcher:
    """Watches directories. `libc` is the C library, `fd` its inotify instance."""

    def __init__(self, libc: Any, fd: int) -> None:
        self._libc = libc
        self._fd = fd
        self._folders: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._short = False

    @classmethod
    def start(cls) -> Self | None:
        """A watcher; None where there is no inotify, or no instance left: said once, and the looks do without."""
        import ctypes  # noqa: PLC0415 - only what follows files needs it

        try:
            libc = ctypes.CDLL(None, use_errno=True)
            fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except (AttributeError, OSError):
            return None
        if fd < 0:
            _say_short(os.strerror(ctypes.get_errno()), "fs.inotify.max_user_instances")
            return None
        return cls(libc, fd)

    def watch(self, folders: Iterable[str]) -> None:
        """Watch these directories, and no others."""
        wanted = dict.fromkeys(folders)
        for folder in self._watches.keys() - wanted.keys():
            watch = self._watches.pop(folder)
            if self._folders.pop(watch, None) is not None:
                self._libc.inotify_rm_watch(self._fd, watch)
        for folder in wanted:
            if folder not in self._watches and not self._add(folder):
                return

    def changes(self) -> Changes:
        """What has changed since the last call."""
        written: set[str] = set()
        moved = False
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return Changes(written, moved)
        for watch, mask, name in _events(data):
            folder = self._folders.get(watch)
            if mask & _IGNORED and folder is not None:
                del self._folders[watch]  # its directory is gone
                self._watches.pop(folder, None)
            moved = moved or bool(mask & (_STRUCTURE | _OVERFLOW | _IGNORED))
            if mask & _MODIFY and folder is not None:
                written.add(os.path.join(folder, name))
        return Changes(written, moved)

    def close(self) -> None:
        """Release the instance and its watches."""
        os.close(self._fd)

    def _add(self, folder: str) -> bool:
        """False when there are no watches left."""
        import ctypes  # noqa: PLC0415 - as above

        reason = ""
        if len(self._watches) >= MAX_WATCHES:
            reason = f"more than {MAX_WATCHES} directories"
        else:
            watch = self._libc.inotify_add_watch(
                self._fd, os.fsencode(folder), _MODIFY | _STRUCTURE | _ONLY_DIRECTORIES
            )
            if watch >= 0:
                self._watches[folder], self._folders[watch] = watch, folder
            elif ctypes.get_errno() in (errno.ENOSPC, errno.ENOMEM):
                reason = os.strerror(ctypes.get_errno())
        if reason and not self._short:
            self._short = True
            _say_short(reason, "fs.inotify.max_user_watches")
        return not reason


def _say_short(reason: str, setting: str) -> None:
    _log.warning(
        "inotify_exhausted",
        reason=reason,
        effect="changes are found by looking at every file, later than at once",
        remedy=f"raise {setting} (sysctl), or name fewer directories",
    )


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    """(watch, mask, name) of each event, as inotify(7) lays them out."""
    place = 0
    while place < len(data):
        watch, mask, _cookie, length = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        yield watch, mask, os.fsdecode(data[place : place + length].rstrip(b"\0"))
        place += length
