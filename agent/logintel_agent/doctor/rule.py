"""The rule: what logrotate would do with the logs that one block of its configuration names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Final, Literal

Criterion = Literal["minutes", "hourly", "daily", "weekly", "monthly", "yearly", "size"]

#: Time between rotations. A rule by size is looked at whenever logrotate runs: once a day, as packages set it up.
INTERVALS: Final[dict[Criterion, timedelta]] = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
    "size": timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Arguments of `create`, `createolddir` and `su`: permission bits and names; None: not said."""

    mode: int | None = None
    user: str | None = None
    group: str | None = None

    def __str__(self) -> str:
        mode = None if self.mode is None else f"{self.mode:04o}"
        return " ".join(part for part in (mode, self.user, self.group) if part)


@dataclass(frozen=True, slots=True)
class Script:
    """A script of the rule, as text alone: it is shown and never run. `line` is that of its keyword, from 1."""

    kind: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Options of a block, or of the configuration outside of blocks; the defaults are logrotate's own.

    patterns  paths and globs that the block names
    size, minsize, maxsize  bytes
    rotate    rotations kept; 0: none, -1: all
    maxage    days; 0: no limit
    error     why logrotate skips the block; empty: it does not
    """

    file: str = ""
    line: int = 0
    patterns: tuple[str, ...] = ()
    criterion: Criterion = "size"
    minutes: int = 0
    size: int = 1024 * 1024
    minsize: int = 0
    maxsize: int = 0
    rotate: int = 0
    start: int = 1
    minage: int = 0
    maxage: int = 0
    copy: bool = False
    copytruncate: bool = False
    renamecopy: bool = False
    create: Owner | None = None
    compress: bool = False
    delaycompress: bool = False
    compresscmd: str = "/bin/gzip"
    compressext: str = ".gz"
    dateext: bool = False
    dateformat: str | None = None
    dateyesterday: bool = False
    datehourago: bool = False
    extension: str | None = None
    addextension: str | None = None
    olddir: str | None = None
    createolddir: Owner | None = None
    su: Owner | None = None
    mail: str | None = None
    shred: bool = False
    missingok: bool = False
    ifempty: bool = True
    sharedscripts: bool = False
    allowhardlink: bool = False
    ignoreduplicates: bool = False
    scripts: tuple[Script, ...] = field(default=())
    error: str = ""

    @property
    def place(self) -> str:
        """`file:line` of the block."""
        return f"{self.file}:{self.line}"

    @property
    def interval(self) -> timedelta:
        """Time between two rotations."""
        return timedelta(minutes=self.minutes) if self.criterion == "minutes" else INTERVALS[self.criterion]

    @property
    def in_place(self) -> bool:
        """Whether the log keeps its inode: the writer need not reopen it."""
        return self.copytruncate or (self.copy and not self.renamecopy)

    @property
    def kept(self) -> timedelta | None:
        """How long a rotated file stays; None: for ever."""
        if self.rotate < 0:
            return timedelta(days=self.maxage) if self.maxage else None
        kept = self.rotate * self.interval
        return min(kept, timedelta(days=self.maxage)) if self.maxage else kept

    def matches(self, path: str) -> str | None:
        """The first pattern that names the absolute `path`, as glob(7) does: `*` ends at a slash; None: none."""
        return next((pattern for pattern in self.patterns if _names(pattern, path)), None)

    def folder(self, path: str) -> str:
        """The directory that the rotated files of the log at `path` are in."""
        return os.path.normpath(os.path.join(os.path.dirname(path), self.olddir or ""))


def _names(pattern: str, path: str) -> bool:
    wanted, given = os.path.normpath(pattern).split("/"), path.split("/")
    if len(wanted) != len(given):
        return False
    return all(
        fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        for part, name in zip(wanted, given, strict=True)
    )
