"""The alert document: an alert as topic alerts and index engineering_alerts hold it, under the seed's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def alert_document(alert: Mapping[str, Any]) -> dict[str, Any]:
    """An alert's fields, its id as `alert_id`."""
    return {"alert_id": alert["id"], **{name: value for name, value in alert.items() if name != "id"}}
