"""The topic channel: relays notifications to topic alerts, for programs that act on them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from aiokafka.errors import KafkaError

from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import ALERTS, Topic
from logintel.config.shared import KafkaBusConfig
from logintel_collector.alert import Notification
from logintel_collector.notifier.alert_document import alert_document
from logintel_collector.notifier.channel import Untold

_SCHEMA: Final = ("schema", b"1")


class TopicChannel:
    """Key: the alert's id. Value: the alert, with `notification` {id, number, occasion, created_at} beside its fields.

    A repeat has the same header `notification_id`; of two that change places after a failure, `number` tells.
    """

    name = "topic-alerts"
    timeout = 45.0

    def __init__(self, kafka: KafkaBusConfig, topic: Topic = ALERTS) -> None:
        self._sender = Sender(kafka, topic)
        self._turn = asyncio.Lock()

    async def tell(self, notification: Notification) -> None:
        """Send it; told when the cluster has it."""
        headers = [_SCHEMA, ("notification_id", notification.id.encode())]
        about: Any = dict(notification.body)
        value = orjson.dumps({**alert_document(about.pop("alert")), "notification": about})
        try:
            async with self._turn:
                await self._sender.send([(notification.alert_id.encode(), value, headers)])
        except (TimeoutError, KafkaError) as error:
            raise Untold(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Let go of the connection."""
        await self._sender.close()
