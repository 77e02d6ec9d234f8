"""Discovery: which files the configured paths mean at this moment."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file and its state when it was looked at. `named`: by a pattern, not only met beside another file."""

    path: str
    status: os.stat_result
    named: bool = True

    @property
    def inode(self) -> tuple[int, int]:
        """Device and inode number."""
        return self.status.st_dev, self.status.st_ino


@dataclass(frozen=True, slots=True)
class Scan:
    """`files`, one per inode; what could not be looked at: path → reason; and `folders`, where new files may appear."""

    files: Sequence[Found]
    problems: dict[str, str]
    folders: set[str]


def scan(patterns: Sequence[str], exclude: Sequence[str] = ()) -> Scan:
    """Look at every file that a pattern names: a path, a glob (`**` goes down), or a directory (the files under it).

    Symbolic links are followed; a file reached by several names counts once, under its first name in sort order.
    """
    files: dict[tuple[int, int], Found] = {}
    problems: dict[str, str] = {}
    folders = {_fixed(pattern) for pattern in patterns}
    # A glob passes over a directory that it may not list as if nothing were in it.
    problems |= {
        folder: os.strerror(errno.EACCES) for folder in folders if os.path.isdir(folder) and not listable(folder)
    }
    for pattern in patterns:
        for path in _paths(pattern, problems):
            folders.add(os.path.dirname(path) or ".")
            if any(fnmatch(path, rule) or fnmatch(os.path.basename(path), rule) for rule in exclude):
                continue
            try:
                status = os.stat(path)
            except OSError as error:
                # What a directory lists and rotation renames before it is looked at is met under its new name.
                if path == pattern or error.errno != errno.ENOENT or os.path.islink(path):
                    problems[path] = error.strerror or str(error)
                continue
            if stat.S_ISREG(status.st_mode):
                files.setdefault((status.st_dev, status.st_ino), Found(path, status))
            elif not stat.S_ISDIR(status.st_mode) and path == pattern:
                problems[path] = "not a regular file"
    return Scan(list(files.values()), problems, folders)


def listable(folder: str) -> bool:
    """Whether it is a directory in which we may look for files."""
    return os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK, effective_ids=True)


def at(path: str) -> Found | None:
    """The regular file at `path`, if there is one."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Found(path, status) if stat.S_ISREG(status.st_mode) else None


def _paths(pattern: str, problems: dict[str, str]) -> Iterator[str]:
    if os.path.isdir(pattern):
        yield from _below(pattern, problems)
        return
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        yield pattern
        return
    yield from sorted(glob.iglob(pattern, recursive=True))


def _fixed(pattern: str) -> str:
    """The directory that a pattern names before its first wildcard."""
    folder = pattern if os.path.isdir(pattern) else os.path.dirname(pattern)
    while glob.has_magic(folder) and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder or "."


def _below(folder: str, problems: dict[str, str]) -> Iterator[str]:
    def refused(error: OSError) -> None:
        problems[str(error.filename)] = error.strerror or str(error)

    for base, folders, names in os.walk(folder, onerror=refused):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(base, name)
