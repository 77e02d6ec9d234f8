"""Waiting until a descriptor can be read: unlike a read that is awaited, this can be cancelled without losing bytes."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios


def held(fd: int) -> int:
    """Bytes that the kernel has for us and nobody has read (FIONREAD: tcp(7), unix(7), pipe(7)); 0: it cannot say."""
    try:
        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    except (OSError, ValueError):
        return 0


async def readable(fd: int) -> None:
    """Return when a read would not wait. The descriptor's own mode stays as it is: a terminal shares it with others."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(fd, _set, ready)
    except PermissionError:
        return  # a regular file, which epoll does not take since it never makes one wait
    try:
        await ready
    finally:
        loop.remove_reader(fd)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
