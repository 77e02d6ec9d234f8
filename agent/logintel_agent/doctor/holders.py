"""Holders: whether a process has a log open for writing now, as /proc tells (proc(5))."""

from __future__ import annotations

import os
import time
from typing import Final

#: Seconds after which it is left at that: not knowing is an answer, too.
_LONGEST: Final = 2.0


def held_open(path: str) -> bool | None:
    """True: some process may write to it without opening it again. False: none. None: it cannot be told, since the
    file is not there, there is no /proc, or some process cannot be looked into."""
    try:
        wanted = os.stat(path)
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return None
    hidden, end = False, time.monotonic() + _LONGEST
    for process in processes:
        try:
            if any(_writes(process, fd, wanted) for fd in os.listdir(f"/proc/{process}/fd")):
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        except OSError:
            hidden = True
        if time.monotonic() > end:
            return None
    return None if hidden else False


def _writes(process: str, fd: str, wanted: os.stat_result) -> bool:
    try:
        status = os.stat(f"/proc/{process}/fd/{fd}")
        if (status.st_dev, status.st_ino) != (wanted.st_dev, wanted.st_ino):
            return False
        with open(f"/proc/{process}/fdinfo/{fd}", encoding="ascii") as info:
            flags = next(line for line in info if line.startswith("flags:"))
    except FileNotFoundError:
        return False  # closed at this very moment
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
