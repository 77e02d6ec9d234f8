"""The reader: which source of the agent reads a log, or why none does."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch, fnmatchcase
from pathlib import Path
from typing import Any

from logintel.config.document import read_yaml
from logintel.config.load import load_all
from logintel.config.whole import whole_model
from logintel.inputs.files import FileInputConfig


@dataclass(frozen=True, slots=True)
class Reader:
    """A source and the entry of its `paths` that names the log.

    place     `file:line` of the source; empty: no configuration was given, these are the defaults
    excluded  the entry of its `exclude` that leaves the log out again; empty: none
    """

    config: FileInputConfig
    pattern: str
    place: str = ""
    excluded: str = ""

    def reads(self, path: str) -> bool:
        """Whether the source would also find the absolute `path`."""
        return covering(self.config.paths, path) is not None and not excluding(self.config.exclude, path)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the agent's configuration says. `readers` name the log, excluded or not; `sources` are all that read files,
    each with its place; `owner`: user id of the agent."""

    readers: tuple[Reader, ...]
    sources: tuple[tuple[FileInputConfig, str], ...]
    owner: int


def settings(file: Path | None, path: str) -> Settings:
    """How the log at the absolute `path` is read by what `file` configures; by the defaults of source type application
    without a file. Raises Misconfigured."""
    if file is None:
        return Settings((by_default(path),), (), os.geteuid())
    loaded = load_all(whole_model(), file)
    whole: Any = loaded.config
    lines = dict(_lines(loaded.files))
    sources = tuple(
        (source, lines.get(source.name, str(file))) for source in whole.sources if isinstance(source, FileInputConfig)
    )
    readers = tuple(
        Reader(source, pattern, place, excluding(source.exclude, path) or "")
        for source, place in sources
        if (pattern := covering(source.paths, path))
    )
    return Settings(readers, sources, _owner(whole.agent.data_dir))


def by_default(path: str) -> Reader:
    """How the log would be read by a source of type application that says nothing but its path."""
    name = re.sub(r"[^\w.-]", "_", os.path.splitext(os.path.basename(path))[0]) or "log"
    return Reader(FileInputConfig(name=name[:100], type="application", paths=(path,)), path)


def covering(patterns: Sequence[str], path: str) -> str | None:
    """The first of `patterns` (paths, globs, directories, as `paths` takes them) that names the absolute `path`."""
    return next((pattern for pattern in patterns if _covers(os.path.abspath(pattern), path)), None)


def excluding(patterns: Sequence[str], path: str) -> str | None:
    """The first glob of `exclude` that leaves the absolute `path` out."""
    return next((rule for rule in patterns if fnmatch(path, rule) or fnmatch(os.path.basename(path), rule)), None)


def _covers(pattern: str, path: str) -> bool:
    if pattern == path or (os.path.isdir(pattern) and path.startswith(pattern.rstrip("/") + "/")):
        return True
    return glob.has_magic(pattern) and _names(pattern.split("/"), path.split("/"))


def _names(parts: list[str], names: list[str]) -> bool:
    """Whether glob's segments name a path's; `**` stands for any number of them, none begins with a dot unnamed."""
    if not parts or not names:
        return parts in ([], ["**"]) and not names
    if parts[0] == "**":
        return _names(parts[1:], names) or (not names[0].startswith(".") and _names(parts, names[1:]))
    if names[0].startswith(".") and not parts[0].startswith("."):
        return False
    return fnmatchcase(names[0], parts[0]) and _names(parts[1:], names[1:])


def _lines(files: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Name and `file:line` of every source in the files."""
    for file in files:
        document = read_yaml(file)
        sources = document.value.get("sources")
        for index, source in enumerate(sources if isinstance(sources, list) else []):
            if isinstance(source, dict):
                place = document.place(("sources", index, "name"))
                yield str(source.get("name")), f"{place.file}:{place.line}"


def _owner(directory: Path) -> int:
    """The user that the agent runs as: the owner of its data directory; before there is one, the user who asks."""
    try:
        return directory.stat().st_uid
    except OSError:
        return os.geteuid()
