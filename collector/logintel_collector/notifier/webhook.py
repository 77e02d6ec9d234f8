"""The webhook: posts notifications as JSON."""

from __future__ import annotations

import httpx
import orjson

from logintel_collector.alert import Notification
from logintel_collector.notifier.channel import Untold
from logintel_collector.notifier.config import WebhookConfig


class WebhookChannel:
    """One URL. A receiver that knows the Idempotency-Key already may drop the repeat."""

    def __init__(self, config: WebhookConfig) -> None:
        self.name = config.channel
        self.timeout = float(config.timeout)
        self._url = str(config.url)
        headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        self._client = httpx.AsyncClient(headers=headers, timeout=None)  # noqa: S113 - the relay bounds an attempt

    async def tell(self, notification: Notification) -> None:
        """Post it; any answer but 2xx is a failure. The answer's body is not read: it has no bound."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": notification.id}
        content = orjson.dumps(notification.body)
        try:
            async with self._client.stream("POST", self._url, content=content, headers=headers) as response:
                if not response.is_success:
                    raise Untold(f"HTTP {response.status_code}")
        except httpx.HTTPError as error:
            raise Untold(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
