"""The channel: one way of telling people. The log is one that is always there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import structlog

from logintel_collector.alert import Notification
from logintel_collector.notifier.config import NotifyConfig

_log = structlog.get_logger(__name__)


class Untold(Exception):
    """An attempt that failed; the message says why, without secrets."""


class Channel(Protocol):
    """Tells notifications, several at the same time, each until it is delivered or too old.

    name     of the channel in the outbox, the same in every run
    timeout  seconds that one attempt may take
    """

    @property
    def name(self) -> str: ...

    @property
    def timeout(self) -> float: ...

    async def tell(self, notification: Notification) -> None:
        """Return when it is told. Raises Untold; whatever else is raised counts as a failed attempt too."""

    async def close(self) -> None:
        """Let go of connections."""


class LogChannel:
    """Writes a warning to our own log: ids, severity, title and reason."""

    name = "log"
    timeout = 1.0

    async def tell(self, notification: Notification) -> None:
        body: dict[str, Any] = notification.body
        alert = body["alert"]
        _log.warning(
            "alert",
            occasion=body["occasion"],
            severity=alert["severity"],
            title=alert["title"],
            reason=alert["metadata"]["reason"],
            alert_id=notification.alert_id,
            notification_id=notification.id,
        )

    async def close(self) -> None:
        """Nothing is open."""


def channels_from(configs: Iterable[NotifyConfig], log: Channel | None = None) -> list[Channel]:
    """The log (or what stands in for it, under its name), and one channel for each entry of `notify`."""
    channels: dict[str, Channel] = {"log": log or LogChannel()}
    for config in configs:
        from logintel_collector.notifier.webhook import WebhookChannel  # noqa: PLC0415 - HTTP only where it is used

        channels[config.channel] = WebhookChannel(config)
    return list(channels.values())
