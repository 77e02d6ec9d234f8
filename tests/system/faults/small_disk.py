"""A small file system of its own for a directory, where the bench may mount one: as root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[bool]:
    """Whether `directory` is one while the block lasts; for an ordinary user it stays a plain directory."""
    directory.mkdir()
    if os.geteuid():
        yield False
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", directory], check=True)
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
