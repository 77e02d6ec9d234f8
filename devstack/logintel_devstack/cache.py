"""The cache: what is made once and shared by every devstack of a user, whole or not there at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/logintel/devstack`, by default below ~/.cache (XDG Base Directory Specification 0.8)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The specification: a relative path is invalid and must be ignored.
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "logintel" / "devstack"


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The cache's directory `name`; `make` fills it, unless it is there. A second process waits for the first."""
    path = cache_dir() / name
    if path.exists():
        return path
    with exclusive(path.with_name(f".{name}.lock")):
        if not path.exists():
            scratch = path.with_name(f".{name}.part")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            make(scratch)
            scratch.rename(path)
    return path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Held by one process at a time; the others wait. Its end, however it comes, lets the next one in (flock)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
