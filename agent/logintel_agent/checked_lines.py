"""Checked lines: JSON objects in a file that a person can read, each `crc32 json`, so that damage costs one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import orjson


def line_of(entry: Mapping[str, object]) -> bytes:
    """The line, with its end."""
    body = orjson.dumps(entry)
    return b"%08x %b\n" % (crc32(body), body)


def entry_of(line: bytes) -> dict[str, Any] | None:
    """What a line (without its end) says; None: it is torn or damaged."""
    check, _, body = line.partition(b" ")
    if not body or check != b"%08x" % crc32(body):
        return None
    entry = orjson.loads(body)
    return entry if isinstance(entry, dict) else None


def write_whole(fd: int, block: bytes) -> None:
    """Append all of the block. Raises OSError, also when the disk takes only a part of it."""
    if os.write(fd, block) < len(block):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
