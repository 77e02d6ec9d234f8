"""Binding: the listening sockets of an address; what is in the way is told with what to do about it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from logintel.inputs.sockets.address import Address
from logintel.refused import Refused

#: Connections that may wait to be taken.
_BACKLOG: Final = 256
#: Seconds without a word from a peer before it is asked, between questions, and questions before it counts as gone.
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
#: What binding says of an address or a family that this host does not have.
_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@asynccontextmanager
async def listening(address: Address, mode: int) -> AsyncIterator[list[socket.socket]]:
    """Sockets that listen on all that `address` stands for; `mode`: permission bits of a Unix socket.

    Raises Refused. At the end they are closed, and a Unix socket's path is removed if it is still ours.
    """
    opened: list[socket.socket] = []
    ours = None
    try:
        with _refusing(address):
            if address.local:
                opened.append(_at_path(address, mode))
                ours = _inode(address)
            else:
                opened += _on_ports(address, await _resolved(address))
        yield opened
    finally:
        for one in opened:
            one.close()
        if ours is not None and _inode(address) == ours:
            _unlink(address)


async def _resolved(address: Address) -> list[tuple[socket.AddressFamily, Any]]:
    kind = socket.SOCK_STREAM if address.stream else socket.SOCK_DGRAM
    found = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=kind, flags=socket.AI_PASSIVE)
    return [(family, place) for family, _, _, _, place in dict.fromkeys(found)]


def _on_ports(address: Address, places: list[tuple[socket.AddressFamily, Any]]) -> list[socket.socket]:
    """Sockets on all addresses of a name that this host has; `localhost` is often one more, of IPv6."""
    opened: list[socket.socket] = []
    absent = None
    for family, place in places:
        try:
            opened.append(_on_port(address, family, place))
        except OSError as error:
            if error.errno not in _ABSENT:
                for one in opened:
                    one.close()
                raise
            absent = error
    if absent and not opened:
        raise absent
    return opened


def _on_port(address: Address, family: socket.AddressFamily, place: Any) -> socket.socket:
    # asyncio sends answers without delay (TCP_NODELAY) on connections of a socket that is named TCP, not by default
    kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP) if address.stream else (socket.SOCK_DGRAM, socket.IPPROTO_UDP)
    one = socket.socket(family, *kind)
    try:
        one.setblocking(False)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if address.stream:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # connections inherit it
            for option, value in _KEEPALIVE:
                one.setsockopt(socket.IPPROTO_TCP, option, value)
        one.bind(place)
        if address.stream:
            one.listen(_BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def _at_path(address: Address, mode: int) -> socket.socket:
    path = Path(address.host)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if address.stream else socket.SOCK_DGRAM)
    try:
        one.setblocking(False)
        _remove_stale(path)
        os.fchmod(one.fileno(), mode & 0o600)  # Linux takes the new file's mode from it: never open wider than asked
        one.bind(address.host)
        path.chmod(mode)
        if address.stream:
            one.listen(_BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def _inode(address: Address) -> int | None:
    try:
        return os.lstat(address.host).st_ino
    except OSError:
        return None


def _unlink(address: Address) -> None:
    Path(address.host).unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on. Raises OSError when the path is taken by anything else."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "the path is taken by something that is no socket")
    except FileNotFoundError:
        return
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as one:
            one.setblocking(False)
            refused = one.connect_ex(str(path))
        if refused == 0:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        if refused == errno.ECONNREFUSED:
            path.unlink()
            return


@contextmanager
def _refusing(address: Address) -> Iterator[None]:
    """An address that cannot be had, as a message that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        look = f"`ss -lxp | grep {address.host}`" if address.local else "`ss -lntup`"
        raise Refused(
            f"cannot listen on {address}: {reason}: stop what uses it ({look} shows it) or choose another address"
        ) from error
