"""The standing of files: what is left of each as it was last seen, and which of them cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator

from logintel.inputs.files.parked import Parked
from logintel.inputs.files.registry import Registry
from logintel.inputs.files.stream import FileStream
from logintel.inputs.files.telling import Telling
from logintel.standing import Place, Standing


def standing(registry: Registry, telling: Telling) -> Standing:
    """By stream; new files that wait for one by path."""
    return Standing("bytes", dict(_places(registry)), telling.troubles)


def _places(registry: Registry) -> Iterator[tuple[str, Place]]:
    for name, stream in registry.open.items():
        yield name, Place(stream.position, stream.unread + _grown(stream))
    for name, parked in registry.parked.items():
        yield name, _of_parked(parked)
    known = {parked.cursor.inode for parked in registry.parked.values()} if registry.waiting else set()
    for found in registry.waiting:
        if found.inode not in known:
            yield found.path, Place(0, found.status.st_size)


def _grown(stream: FileStream) -> int:
    """Bytes that came since it was last read: while the bus takes nothing, nobody reads."""
    if stream.content.packed:
        return 0
    return max(0, os.fstat(stream.content.fd).st_size - max(stream.content.seen or 0, stream.reached))


def _of_parked(parked: Parked) -> Place:
    """`size` is as far as it was read, a partial last line included; without one there is more to do."""
    offset = parked.cursor.print.offset
    if parked.seen is None or parked.cursor.done:
        return Place(offset, 0)
    return Place(offset, max(0, parked.seen - max(parked.size or 0, offset)))
