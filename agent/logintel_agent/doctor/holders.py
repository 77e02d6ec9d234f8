"""Holders: whether a process has a log open for writing now, as /proc tells (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

#: Descriptors looked at before it is left at that: an answer that takes long is none.
_MOST: Final = 200_000


def held_open(path: str) -> bool | None:
    """True: some process may write to it without opening it again. False: none. None: it cannot be told, since the
    file is not there, there is no /proc, or other users' processes cannot be looked into."""
    try:
        wanted = os.stat(path)
        for looked, fd in enumerate(_descriptors()):
            if looked > _MOST:
                return None
            if _writes(fd, wanted):
                return True
    except OSError:
        return None
    return False


def _descriptors() -> Iterator[str]:
    """Paths of all processes' descriptors. Raises PermissionError where they may not be looked at."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        folder = f"/proc/{pid}/fd"
        try:
            yield from (f"{folder}/{fd}" for fd in os.listdir(folder))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile


def _writes(fd: str, wanted: os.stat_result) -> bool:
    try:
        status = os.stat(fd)
        if (status.st_dev, status.st_ino) != (wanted.st_dev, wanted.st_ino):
            return False
        with open(fd.replace("/fd/", "/fdinfo/"), encoding="ascii") as info:
            flags = next(line for line in info if line.startswith("flags:"))
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return False
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
