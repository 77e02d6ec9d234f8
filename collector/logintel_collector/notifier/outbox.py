"""The outbox: what the notifier needs of the store that keeps notifications until every channel has told them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from logintel_collector.alert import Notification


class PendingNotification(NamedTuple):
    """A notification that one channel has yet to tell, and how often it has tried."""

    notification: Notification
    attempts: int


class Outbox(Protocol):
    """Notifications and, for each channel, how far telling them has come. Times are UTC, 27 characters.

    A notification is pending for a channel that never reported it; for one that failed, from `retry_at` on. It may be
    deleted once every channel in use has delivered it or given it up.
    """

    async def pending(self, channel: str, now: str, limit: int) -> Sequence[PendingNotification]:
        """At most `limit` notifications that `channel` is to tell at `now`, oldest `created_at` first."""

    async def delivered(self, notification_id: str, channel: str) -> None:
        """Durably note that `channel` has told it; it is never pending there again."""

    async def failed(self, notification_id: str, channel: str, error: str, retry_at: str | None) -> None:
        """Durably note a failed attempt (`attempts` grows by one). `retry_at` None: given up, never pending again."""
