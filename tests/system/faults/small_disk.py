"""A small file system of its own for a directory, where the bench may mount one: as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        kept = Path(shutil.copytree(directory, directory.with_name(f"{directory.name}.kept")))
        subprocess.run(["umount", "--lazy", directory], check=True)
        directory.rmdir()
        kept.rename(directory)
