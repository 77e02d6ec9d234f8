"""Siblings: the files beside a log, under names that begin with its own, as rotation leaves them."""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from collections.abc import Iterator

from logintel.inputs.files.discovery import Found


def stem(path: str) -> str:
    """What names of rotated files begin with: app.log, app.log-20261125, app-2026-11-25.log.gz are of /…/app."""
    return os.path.splitext(path)[0]


class Siblings:
    """Listings of directories, each read once: thousands of logs may lie in one."""

    def __init__(self) -> None:
        self._listings: dict[str, list[str]] = {}

    def beside(self, *paths: str) -> Iterator[Found]:
        """The regular files beside any of `paths`, newest first."""
        found = [file for folder, name in dict.fromkeys(map(os.path.split, paths)) for file in self._like(folder, name)]
        yield from sorted(found, key=lambda file: file.status.st_mtime, reverse=True)

    def _like(self, folder: str, name: str) -> Iterator[Found]:
        names, start = self._listing(folder), stem(name)
        for place in range(bisect_left(names, start), len(names)):
            if not names[place].startswith(start):
                return
            path = os.path.join(folder, names[place])
            try:
                status = os.stat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Found(path, status, named=False)

    def _listing(self, folder: str) -> list[str]:
        if folder not in self._listings:
            try:
                self._listings[folder] = sorted(os.listdir(folder or "."))
            except OSError:
                self._listings[folder] = []
        return self._listings[folder]
