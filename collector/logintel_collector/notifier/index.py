"""The index channel: keeps each alert's latest state in engineering_alerts-YYYY.MM, for people who look there."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from logintel_collector.alert import Notification
from logintel_collector.config import ElasticsearchConfig
from logintel_collector.notifier.alert_document import alert_document
from logintel_collector.notifier.channel import Untold
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError
from logintel_collector.stores.elasticsearch_indices import ALERTS, is_set_up, monthly_index

_TIMEOUT: Final = 30.0


class IndexChannel:
    """One document per alert, its _id the alert's, in the month in which it was triggered.

    A notification that comes late never replaces a later one.
    """

    name = "index-alerts"
    timeout = _TIMEOUT

    def __init__(self, config: ElasticsearchConfig) -> None:
        """Raises Refused when what the configuration names cannot be used."""
        self._client = ElasticsearchClient(config)
        self._is_set_up = False

    async def tell(self, notification: Notification) -> None:
        """Store the alert as the notification has it, unless a later state is there."""
        body: Any = notification.body
        try:
            await self.put(body["alert"], body.get("number", 0))
        except ElasticsearchError as error:
            raise Untold(str(error)) from error

    async def put(self, alert: Mapping[str, Any], version: int) -> None:
        """Store an alert, unless a state of a higher version is there. Raises ElasticsearchError."""
        if not self._is_set_up and not await is_set_up(self._client):
            raise ElasticsearchError(
                f"{self._client.at} has no template of our indices: run `logintel collector setup`"
            )
        self._is_set_up = True
        index = monthly_index(self._client.prefix, ALERTS, alert["triggered_at"])
        path = f"/{index}/_doc/{quote(alert['id'])}?version_type=external_gte&version={version}"
        try:
            await self._client.ask("PUT", path, alert_document(alert), _TIMEOUT)
        except ElasticsearchError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()
