"""The watched file: what was read from a file that somebody replaces now and then, while we run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from logintel.refused import Refused

#: Seconds between two looks at a file.
LOOK_EVERY: Final = 5.0
_log = structlog.get_logger(__name__)

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """`value` is what `load` made of the file. A new file that cannot be loaded is told, and the old value stays."""

    def __init__(self, path: Path, load: Callable[[Path], T], remedy: str) -> None:
        """`load` raises OSError or ValueError; `remedy` says what to do then. Raises Refused."""
        self._path, self._load, self._remedy = path, load, remedy
        try:
            self._seen = _identity(path)
            self.value = load(path)
        except (OSError, ValueError) as error:
            raise Refused(f"{path}: {_reason(error)}: {remedy}") from error
        self._looked = time.monotonic()

    def renewed(self) -> bool:
        """Look whether the file was replaced, now and then; whether `value` is a new one."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return False
        self._looked = now
        try:
            found = _identity(self._path)
            if found == self._seen:
                return False
            self._seen = found
            self.value = self._load(self._path)
        except (OSError, ValueError) as error:
            _log.error(
                "file_refused", path=str(self._path), reason=_reason(error), effect="what it said stays in use",
                remedy=self._remedy,
            )  # fmt: skip
            return False
        _log.info("file_renewed", path=str(self._path))
        return True


def _identity(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
