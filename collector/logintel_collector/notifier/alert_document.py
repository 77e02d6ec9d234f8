"""The alert document: an alert as topic alerts and index engineering_alerts hold it, under the seed's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logintel_collector.alert import Notification


def alert_document(notification: Notification) -> dict[str, Any]:
    """The alert as it was when the notification was made, its id as `alert_id`."""
    alert: Any = notification.body["alert"]
    return document_of(alert)


def document_of(alert: Mapping[str, Any]) -> dict[str, Any]:
    """An alert's columns, its id as `alert_id`."""
    return {"alert_id": alert["id"], **{name: value for name, value in alert.items() if name != "id"}}
