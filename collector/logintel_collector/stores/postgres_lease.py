"""The lease: what only one process may do at a time, and how one that lost it without noticing is kept out.

The holder renews it at the start of each of its transactions. Whoever takes it over makes a new epoch, and the renewal
of the old one fails: a process that slept too long writes nothing any more. One that falls asleep inside a transaction,
with the lease's row locked, is thrown out by PostgreSQL.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from datetime import datetime
from typing import Final

import asyncpg
import structlog

from logintel.refused import Refused
from logintel_collector.stores.postgres import ERRORS

#: Seconds without a renewal after which somebody else may take the lease.
LENGTH: Final = 10.0
_LOOK_EVERY: Final = 0.5
_RELEASE: Final = 3.0
_TAKE: Final = """
    INSERT INTO leases (name, holder, epoch, expires_at)
    VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 second')
    ON CONFLICT (name) DO UPDATE SET holder = $2, epoch = leases.epoch + 1, expires_at = excluded.expires_at
        WHERE leases.expires_at <= clock_timestamp()
    RETURNING epoch
"""
_RENEW: Final = """
    UPDATE leases SET expires_at = clock_timestamp() + $3 * interval '1 second' WHERE name = $1 AND epoch = $2
    RETURNING set_config('idle_in_transaction_session_timeout', $4, true)
"""
_log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Somebody else holds it now; nothing of the transaction may be kept."""


class Lease:
    """Taken with `Lease.take`. `epoch` is larger than that of every holder before."""

    def __init__(self, name: str, epoch: int) -> None:
        self.name, self.epoch = name, epoch

    @classmethod
    async def take(cls, connection: asyncpg.Connection, name: str) -> Lease:
        """Take it as soon as nobody renews it. Raises Refused when somebody does."""
        seen: datetime | None = None
        while True:
            if (lease := await cls.try_take(connection, name)) is not None:
                return lease
            held = await connection.fetchrow("SELECT holder, expires_at FROM leases WHERE name = $1", name)
            if held is not None and seen is None:
                seen = held["expires_at"]
                _log.info("lease_held", lease=name, by=held["holder"], effect=f"waits {LENGTH:.0f} s at most")
            elif held is not None and held["expires_at"] != seen:
                raise Refused(
                    f"another {name} is at work ({held['holder']}), and there can be only one: stop it, or leave the "
                    "role out of `roles` here"
                )
            await asyncio.sleep(_LOOK_EVERY)

    @classmethod
    async def try_take(cls, connection: asyncpg.Connection, name: str) -> Lease | None:
        """Take it if nobody has it now."""
        epoch = await connection.fetchval(_TAKE, name, _holder(), LENGTH)
        return None if epoch is None else cls(name, epoch)

    async def renew(self, connection: asyncpg.Connection) -> None:
        """Hold it for longer, inside the caller's transaction. Raises LeaseLost."""
        if await connection.fetchval(_RENEW, self.name, self.epoch, LENGTH, f"{LENGTH:.0f}s") is None:
            raise LeaseLost(f"another {self.name} has taken over")

    async def release(self, connection: asyncpg.Connection) -> None:
        """Let the next one take it at once; where the server does not answer, it has to wait."""
        with suppress(TimeoutError, *ERRORS):
            async with asyncio.timeout(_RELEASE):
                await connection.execute(
                    "UPDATE leases SET expires_at = clock_timestamp() WHERE name = $1 AND epoch = $2",
                    self.name,
                    self.epoch,
                )


def _holder() -> str:
    return f"host {socket.gethostname()}, process {os.getpid()}"
