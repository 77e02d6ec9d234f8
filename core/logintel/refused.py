"""Refused: the world said no (a port, a lock, a disk, a server), in one line that says what, where and what to do."""

from __future__ import annotations


class Refused(Exception):
    """Ends a command with exit code 1 and its message, without a traceback.

    `raise Refused("data directory /x is locked by process 12: stop it, or name another with --data")`
    """
