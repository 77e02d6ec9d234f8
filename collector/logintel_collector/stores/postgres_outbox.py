"""The outbox in PostgreSQL (see notifier.outbox): one connection, one statement at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import orjson

from logintel_collector.alert import Notification
from logintel_collector.notifier.outbox import Attempt, PendingNotification
from logintel_collector.processor import stamp
from logintel_collector.stores.postgres_lease import Lease

_PENDING: Final = """
    SELECT id, alert_id, body, created_at, coalesce(attempts, 0) AS attempts
    FROM outbox LEFT JOIN outbox_deliveries ON notification_id = id AND channel = $1
    WHERE (channel IS NULL OR retry_at <= $2) AND EXISTS (SELECT FROM leases WHERE name = $4 AND epoch = $5)
    ORDER BY created_at, id LIMIT $3
"""
_REPORT: Final = """
    INSERT INTO outbox_deliveries AS old (notification_id, channel, attempts, retry_at, error)
    VALUES ($1, $2, 1, $3, $4)
    ON CONFLICT (notification_id, channel) DO UPDATE SET
        attempts = old.attempts + 1, retry_at = excluded.retry_at, error = excluded.error
"""
#: A notification that every channel is done with is kept so long, for people who look; not longer, since each look for
#: what is due passes all of them.
_EXPIRE: Final = """
    DELETE FROM outbox WHERE created_at < CURRENT_TIMESTAMP - interval '1 hour' AND id IN (
        SELECT notification_id FROM outbox_deliveries WHERE channel = ANY ($1) AND retry_at IS NULL
        GROUP BY notification_id HAVING count(*) = cardinality($1)
    )
"""


class PostgresOutbox:
    """An Outbox for the holder of `lease`. Raises TimeoutError, postgres.ERRORS; LeaseLost when that is another.

    told, failures  attempts that nobody has counted yet, over all channels
    """

    def __init__(self, connection: asyncpg.Connection, lease: Lease) -> None:
        self._connection, self._lease = connection, lease
        self._turn = asyncio.Lock()
        self.told = self.failures = 0

    async def pending(self, channel: str, now: str, limit: int) -> list[PendingNotification]:
        """See Outbox. Nothing for who slept and does not know yet that the lease is another's."""
        due_at, lease = datetime.fromisoformat(now), self._lease
        async with self._turn:
            rows = await self._connection.fetch(_PENDING, channel, due_at, limit, lease.name, lease.epoch)
        return [
            PendingNotification(
                Notification(
                    str(row["id"]),
                    str(row["alert_id"]),
                    orjson.loads(row["body"]),
                    stamp(row["created_at"].astimezone(UTC)),
                ),
                row["attempts"],
            )
            for row in rows
        ]

    async def report(self, channel: str, attempts: Sequence[Attempt]) -> None:
        """See Outbox."""
        rows = [(one.notification_id, channel, _moment(one.retry_at), one.error) for one in attempts]
        async with self._turn, self._connection.transaction():
            await self._lease.renew(self._connection)
            await self._connection.executemany(_REPORT, rows)
        told = sum(one.error is None for one in attempts)
        self.told += told
        self.failures += len(attempts) - told

    async def due(self, channels: list[str]) -> int:
        """How many were made and no channel has reported yet, over all channels."""
        async with self._turn:
            return int(
                await self._connection.fetchval(
                    "SELECT count(*) FROM outbox, unnest($1::text[]) AS name WHERE NOT EXISTS ("
                    "SELECT 1 FROM outbox_deliveries WHERE notification_id = id AND channel = name)",
                    channels,
                )
            )

    async def renew(self) -> None:
        """Hold the lease for longer."""
        async with self._turn:
            await self._lease.renew(self._connection)

    async def expire(self, channels: list[str]) -> None:
        """Delete what every channel is done with, an hour later."""
        async with self._turn:
            await self._connection.execute(_EXPIRE, channels)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
