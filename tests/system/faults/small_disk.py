"""A small file system of its own for a directory, where the bench may mount one: as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: They stand for a listening process, and cannot be copied.
_SOCKETS: Final = shutil.ignore_patterns("*.sock")


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[bool]:
    """Whether `directory` is one while the block lasts; for an ordinary user it stays a plain directory.

    What is in it stays behind, for whoever looks into a run that failed.
    """
    directory.mkdir()
    if os.geteuid():
        yield False
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", directory], check=True)
    try:
        yield True
    finally:
        try:
            kept = shutil.copytree(directory, directory.with_name(f"{directory.name}.kept"), ignore=_SOCKETS)
        finally:
            subprocess.run(["umount", "--lazy", directory], check=True)
        directory.rmdir()
        kept.rename(directory)
