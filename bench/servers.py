"""The servers: a devstack of the benchmark's own; what it started is stopped at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from logintel_devstack.stack import Stack


@contextmanager
def devstack(directory: Path, names: Collection[str]) -> Iterator[dict[str, str]]:
    """Address by name; as long as they are wanted."""
    stack = Stack(directory)
    before = {name for name, server in stack.status().items() if server.running} if directory.exists() else set()
    started = set(names) - before
    try:
        yield stack.up(names)
    finally:
        stack.down(started)
