"""Patience: a server that is brought up again, however long it takes on a machine that is busy with a run."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from logintel.refused import Refused
from logintel_devstack.server import Server

#: How often a server may use up the time that it has to come up.
_TIMES: Final = 4


def bring_up(server: Server) -> None:
    """Return when it serves. Raises Refused."""
    for _ in range(_TIMES - 1):
        with suppress(Refused):
            return server.up()
    return server.up()
