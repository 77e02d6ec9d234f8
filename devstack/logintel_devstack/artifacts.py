"""Java artifacts, pinned: fetched from the Maven repository that jgo knows, checked by SHA-256, kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Final

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from logintel.refused import Refused
from logintel_devstack.cache import made_once

_TIMEOUT: Final = 60  # seconds without a byte
_PACKAGE: Final = files("logintel_devstack")


def fetched(name: str, finish: Callable[[Path], None] = lambda _: None, *sources: str) -> Path:
    """The cached directory of the artifacts that NAME.lock pins, one `SHA-256  group:artifact:type:version` a line.

    `finish` makes of them what is needed; it and the `sources` it reads (files of this package) are part of what is
    cached. Raises Refused where an artifact cannot be had or is not the pinned one.
    """
    lock = f"{name}.lock"
    content = b"".join(_PACKAGE.joinpath(file).read_bytes() for file in (lock, *sources))

    def make(directory: Path) -> None:
        for line in _PACKAGE.joinpath(lock).read_text("ascii").splitlines():
            checksum, coordinate = line.split()
            _fetch(coordinate, checksum, directory)
        finish(directory)

    return made_once(f"{name}-{hashlib.sha256(content).hexdigest()[:12]}", make)


def _fetch(coordinate: str, checksum: str, directory: Path) -> None:
    group, artifact, kind, version = coordinate.split(":")
    incoming = directory / ".incoming"
    # A user's own mirrors ([repositories] in jgo's configuration) are asked; otherwise the default one.
    maven = MavenContext(repo_cache=incoming, remote_repos=GlobalSettings.load().repositories or None, timeout=_TIMEOUT)
    try:
        found = maven.project(group, artifact).at_version(version).artifact(packaging=kind).resolve()
    except (OSError, RuntimeError) as error:
        raise Refused(f"cannot download {coordinate}, which the devstack needs once: {error}") from error
    with found.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != checksum:
        raise Refused(f"{coordinate} as downloaded is not the pinned one: SHA-256 {actual}, expected {checksum}")
    found.rename(directory / found.name)
    shutil.rmtree(incoming)
