"""The relay: takes notifications out of the outbox and tells them, every channel on its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from logintel_collector.alert import Notification
from logintel_collector.notifier.channel import Channel, Untold
from logintel_collector.notifier.outbox import Attempt, Outbox, PendingNotification

#: Notifications that one channel tells at the same time.
CONCURRENCY: Final = 8
#: Seconds between looks into the outbox when nothing wakes the relay.
POLL: Final = 1.0
#: Seconds: the first pause after a failure is at most BASE, the next twice that, at most LONGEST; drawn at random, so
#: that many notifications do not come back at once.
BASE: Final = 1.0
LONGEST: Final = 300.0
#: A notification that could not be told for so long is given up.
MAX_AGE: Final = timedelta(hours=24)

_log = structlog.get_logger(__name__)


class Relay:
    """Delivers at least once: a crash between telling and noting it tells it again, under the same id.

    What a channel tells at the same time is noted together, in one transaction.
    """

    def __init__(
        self, outbox: Outbox, channels: Sequence[Channel], clock: Callable[[], datetime], base: float = BASE
    ) -> None:
        """`clock` answers in UTC; `base` is the first pause after a failure, seconds."""
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._base = base
        self._ending = False
        self._news = {channel.name: asyncio.Event() for channel in channels}

    def wake(self) -> None:
        """There are new notifications: look now."""
        for news in self._news.values():
            news.set()

    async def run(self) -> None:
        """Tell what comes, until `finish` is called or until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for channel in self._channels:
                    tasks.create_task(self._follow(channel))
        finally:
            await self._close()

    def finish(self) -> None:
        """Let `run` end once everything that is due now was tried. What fails stays in the outbox.

        Cancelling it instead may come between telling and noting it, and the next run would tell it again.
        """
        self._ending = True
        self.wake()

    async def _follow(self, channel: Channel) -> None:
        news = self._news[channel.name]
        ending = False
        while not ending:
            news.clear()
            ending = self._ending  # asked before the look: what came until then is told
            await self._tell_due(channel)
            with suppress(TimeoutError):
                async with asyncio.timeout(0 if ending else POLL):
                    await news.wait()

    async def _tell_due(self, channel: Channel) -> None:
        """Everything that is due, oldest first; a failed one is due again only later."""
        due_at = _stamp(self._clock())
        while pending := await self._outbox.pending(channel.name, due_at, CONCURRENCY):
            attempts: list[Attempt] = []
            try:
                async with asyncio.TaskGroup() as tasks:
                    for each in pending:
                        tasks.create_task(self._tell(channel, each, attempts))
            finally:  # cancelled too: what was told is noted, or the next run would tell it again
                if attempts:
                    await self._outbox.report(channel.name, attempts)

    async def _tell(self, channel: Channel, pending: PendingNotification, attempts: list[Attempt]) -> None:
        notification = pending.notification
        try:
            async with asyncio.timeout(channel.timeout):
                await channel.tell(notification)
        except TimeoutError:
            attempts.append(self._failed(channel, pending, f"no answer within {channel.timeout:g} s"))
        except Untold as error:
            attempts.append(self._failed(channel, pending, str(error)))
        except Exception as error:  # noqa: BLE001 - one notification that a channel chokes on must not stop the others
            attempts.append(self._failed(channel, pending, repr(error)))
        else:
            attempts.append(Attempt(notification.id))

    def _failed(self, channel: Channel, pending: PendingNotification, error: str) -> Attempt:
        notification, now = pending.notification, self._clock()
        pause = random.uniform(0, min(LONGEST, self._base * 2 ** min(pending.attempts, 30)))  # noqa: S311 - no secret
        retry_at = now + timedelta(seconds=pause)
        # A channel that stays away is told of once for each notification, not once for each attempt.
        if retry_at - _created(notification) < MAX_AGE:
            level, until = _log.debug if pending.attempts else _log.warning, _stamp(retry_at)
        else:
            level, until = _log.error, None
        level(
            "notification_failed" if until else "notification_given_up",
            channel=channel.name,
            notification_id=notification.id,
            alert_id=notification.alert_id,
            attempts=pending.attempts + 1,
            reason=error,
        )
        return Attempt(notification.id, error, until)

    async def _close(self) -> None:
        for channel in self._channels:
            await channel.close()


def _created(notification: Notification) -> datetime:
    return datetime.fromisoformat(notification.created_at)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
