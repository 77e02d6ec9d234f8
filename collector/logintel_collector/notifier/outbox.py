"""The outbox: what the notifier needs of the store that keeps notifications until every channel has told them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from logintel_collector.alert import Notification


class PendingNotification(NamedTuple):
    """A notification that one channel has yet to tell, and how often it has tried."""

    notification: Notification
    attempts: int


class Attempt(NamedTuple):
    """What became of telling a notification once.

    error     why it was not told; None: it was, and is never pending there again
    retry_at  when to try again; None with an error: given up, never pending again
    """

    notification_id: str
    error: str | None = None
    retry_at: str | None = None


class Outbox(Protocol):
    """Notifications and, for each channel, how far telling them has come. Times are UTC, 27 characters.

    A notification is pending for a channel that never reported it; for one that failed, from `retry_at` on. It may be
    deleted once every channel in use has delivered it or given it up.
    """

    async def pending(self, channel: str, now: str, limit: int) -> Sequence[PendingNotification]:
        """At most `limit` notifications that `channel` is to tell at `now`, oldest `created_at` first."""

    async def report(self, channel: str, attempts: Sequence[Attempt]) -> None:
        """Durably note what became of telling notifications over `channel`, all or none; its `attempts` grow by one."""
