"""Ports for servers: free ones are chosen, and kept as long as nobody else has taken them."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from typing import Final

HOST: Final = "127.0.0.1"
#: Below the ports that Linux gives to outgoing connections: one of those could take a stopped server's port, and even
#: connect to itself there.
_RANGE: Final = range(10_000, 32_000)


def free_port(spoken_for: Collection[int]) -> int:
    """A port of the loopback address that nobody listens on, and none of those that are `spoken_for`."""
    choices = iter(lambda: random.choice(_RANGE), None)  # noqa: S311 - no secret
    return next(port for port in choices if port not in spoken_for and is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
