"""Compression of rotated files in the scratch directory; the host's compression command is never run.

gzip, bzip2 and xz are the real formats. What another command would make is a file that begins as zstd's do and that no
reader of text can make anything of.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from typing import Final

#: RFC 8878, 3.1.1: the magic number of zstd.
_OPAQUE: Final = b"\x28\xb5\x2f\xfd"


def compressed(data: bytes, command: str) -> bytes:
    """What the compression command `command` would make of `data`."""
    match os.path.basename(command):
        case "gzip" | "pigz":
            return gzip.compress(data)
        case "bzip2" | "pbzip2":
            return bz2.compress(data)
        case "xz":
            return lzma.compress(data)
        case _:
            return _OPAQUE + zlib.compress(data)


def inflated(data: bytes) -> bytes:
    """What `compressed` was given; other data as it is."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"BZh"):
        return bz2.decompress(data)
    if data.startswith(b"\xfd7zXZ\x00"):
        return lzma.decompress(data)
    return zlib.decompress(data[len(_OPAQUE) :]) if data.startswith(_OPAQUE) else data
