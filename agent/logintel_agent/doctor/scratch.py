"""The scratch directory: a small copy of the host's tree, in which the trial's log lies at the host's path.

Nothing is ever written outside of it, and it is removed with everything in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from typing import Final

from logintel.inputs.files import FileInputConfig
from logintel.inputs.files.text import codec_of
from logintel.source import SourceConfig
from logintel_agent.doctor.compression import inflated

#: How a trial's line says its number.
LINE: Final = re.compile(r"logintel-doctor line (\d{8}) of the trial")


@dataclass(frozen=True, slots=True)
class Scratch:
    """`directory` is ours alone; the host's /var/log/x.log is at `directory`/root/var/log/x.log."""

    directory: Path

    @property
    def root(self) -> Path:
        """Stands for the host's root directory."""
        return self.directory / "root"

    @property
    def data(self) -> Path:
        """The data directory of the trial's agent."""
        return self.directory / "agent"

    def inside(self, path: str) -> Path:
        """Where the host's absolute `path` is."""
        return Path(f"{self.root}{os.path.normpath(path)}")

    def outside(self, path: Path) -> str:
        """The inverse of `inside`."""
        return f"/{path.relative_to(self.root)}"

    def moved(self, config: FileInputConfig, path: str) -> FileInputConfig:
        """What the source's settings for reading files say, for the tree in here; the log is the one at `path`.

        An `exclude` means the whole path or the name alone: it is given both ways, but for one that would only match
        because of where this directory is.
        """
        reading = FileInputConfig.model_fields.keys() - SourceConfig.model_fields.keys()
        kept = {name: getattr(config, name) for name in reading}
        whole = [escape(str(self.root)) + rule for rule in config.exclude]
        names = [
            rule
            for rule in config.exclude
            if "/" not in rule and (fnmatch(path, rule) or not fnmatch(str(self.inside(path)), rule))
        ]
        paths = tuple(str(self.inside(os.path.abspath(pattern))) for pattern in config.paths)
        return FileInputConfig(**kept | {"paths": paths, "exclude": (*whole, *names)}, name=config.name, type="doctor")

    def lines(self, encoding: str | None) -> Iterator[tuple[int, str]]:
        """Every line of the trial that some file holds, compressed or not, and the host's name of that file."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                data = inflated(Path(folder, name).read_bytes())
                text = data.decode(codec_of(data, encoding).name, "replace")
                where = self.outside(Path(folder, name))
                yield from ((int(number), where) for number in LINE.findall(text))
