"""The lock on a directory: one process at a time, and the second one is told who holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

_NAME: Final = ".lock"


class DirectoryLocked(Exception):
    """Another process (or another part of this one) uses the directory. `pid` is None where it could not be read."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{directory} is in use by {holder}: stop it, or choose another directory")
        self.directory = directory
        self.pid = pid


class DirectoryLock:
    """Held from creation until `release` or the end of the process; a crash leaves nothing to clean up (flock)."""

    def __init__(self, directory: Path) -> None:
        """Makes the directory where it is missing. Raises DirectoryLocked, or OSError when it cannot be made."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(self._fd, 32, 0).strip()
            os.close(self._fd)
            raise DirectoryLocked(directory, int(text) if text.isdigit() else None) from None
        except OSError:
            os.close(self._fd)
            raise
        _note_holder(self._fd)

    def release(self) -> None:
        """Let others in; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _note_holder(fd: int) -> None:
    """Write our pid for the message of the next opener; a full disk must not keep us from draining what we hold."""
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        return
