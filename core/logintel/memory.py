"""Memory: what a process that works in batches keeps of it between two of them."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

#: Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Bytes that stay with the process when they are free; and from which on a block is taken from the kernel directly,
#: and given back at once (glibc's most).
KEPT: Final = 64 * 1024 * 1024
LARGE: Final = 32 * 1024 * 1024


def keep() -> None:
    """Keep free memory for the next batch, up to KEPT.

    glibc gives it back after each batch by default, and the kernel clears every page of the next one again: a fifth of
    the CPU. The peak stays what it is. Another libc goes on as it does.
    """
    with suppress(AttributeError, OSError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_THRESHOLD, LARGE)
        set_option(_TRIM_THRESHOLD, KEPT)
