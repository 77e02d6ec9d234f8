"""Discovery: which files the configured paths mean at this moment."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file and its state when it was looked at."""

    path: str
    status: os.stat_result

    @property
    def inode(self) -> tuple[int, int]:
        """Device and inode number."""
        return self.status.st_dev, self.status.st_ino


@dataclass(frozen=True, slots=True)
class Scan:
    """`files`, one per inode, and what could not be looked at: path → reason."""

    files: Sequence[Found]
    problems: dict[str, str]


def scan(patterns: Sequence[str], exclude: Sequence[str] = ()) -> Scan:
    """Look at every file that a pattern names: a path, a glob (`**` goes down), or a directory (the files under it).

    Symbolic links are followed; a file reached by several names counts once, under its first name in sort order.
    """
    files: dict[tuple[int, int], Found] = {}
    problems: dict[str, str] = {}
    for pattern in patterns:
        for path in _paths(pattern, problems):
            if any(fnmatch(path, rule) or fnmatch(os.path.basename(path), rule) for rule in exclude):
                continue
            try:
                status = os.stat(path)
            except OSError as error:
                problems[path] = error.strerror or str(error)
                continue
            if stat.S_ISREG(status.st_mode):
                files.setdefault((status.st_dev, status.st_ino), Found(path, status))
            elif not stat.S_ISDIR(status.st_mode) and path == pattern:
                problems[path] = "not a regular file"
    return Scan(list(files.values()), problems)


def siblings(path: str) -> Iterator[Found]:
    """Files beside `path` whose name begins with its name, as rotation leaves them, newest first."""
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    try:
        with os.scandir(folder or ".") as entries:
            beside = [entry for entry in entries if entry.name.startswith(stem) and entry.is_file()]
            found = [Found(entry.path, entry.stat()) for entry in beside]
    except OSError:
        return
    yield from sorted(found, key=lambda item: item.status.st_mtime, reverse=True)


def _paths(pattern: str, problems: dict[str, str]) -> Iterator[str]:
    if os.path.isdir(pattern):
        yield from _below(pattern, problems)
        return
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        yield pattern
        return
    yield from sorted(glob.iglob(pattern, recursive=True))


def _below(folder: str, problems: dict[str, str]) -> Iterator[str]:
    def refused(error: OSError) -> None:
        problems[str(error.filename)] = error.strerror or str(error)

    for base, folders, names in os.walk(folder, onerror=refused):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(base, name)
