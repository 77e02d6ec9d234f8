"""The row: what the stores of metadata keep of a source's health, the same for every dialect of SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import orjson

from logintel_collector.source_health import Health
from logintel_collector.source_health.watch import State

#: Characters of the columns of log_sources, and of a host's name.
_NAME: Final = 100
_TYPE: Final = 50
_HOST: Final = 255
#: What hosts make of a source together: it is not lost while one of them has it. `{active}` is the dialect's.
COMBINED: Final = """
    SELECT source_id, {active} AS active, CASE
        count(DISTINCT health_status) FILTER (WHERE is_active AND health_status <> 'unknown')
        WHEN 0 THEN 'unknown'
        WHEN 1 THEN min(health_status) FILTER (WHERE is_active AND health_status <> 'unknown')
        ELSE 'degraded' END AS health
    FROM source_health GROUP BY source_id
"""
#: A row for each source and host, and for each source that no host has told of.
OVERVIEW: Final = """
    SELECT id, name, type, description, configuration, log_sources.is_active AS source_is_active,
        last_health_check, host, source_health.health_status, source_health.is_active, reason, changed_at, heard_at,
        detail
    FROM log_sources LEFT JOIN source_health ON source_id = id
    ORDER BY name, host
"""


def source_values(state: State) -> dict[str, Any]:
    """Of log_sources."""
    return {
        "id": state.id,
        "name": state.name[:_NAME],
        "type": state.type[:_TYPE],
        "description": state.description,
        "configuration": state.configuration,
    }


def health_values(state: State, installation: str) -> dict[str, Any]:
    """Of source_health."""
    return {
        "source_id": state.id,
        "host": state.host[:_HOST],
        "installation": installation,
        "is_active": state.is_active,
        "health_status": state.health,
        "reason": state.reason,
        "changed_at": stamped(state.changed_at),
        "heard_at": stamped(state.heard_at),
        "detail": state.detail,
        "memory": state.memory,
    }


def stamped(seconds: float) -> str:
    """A time as text, UTC, 27 characters."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source on a host, for people. Times as ISO 8601; `host` None: no agent has told of it. `detail`: keys of
    SourceReport.detail."""

    id: str
    name: str
    type: str
    host: str | None
    status: Health
    reason: str
    is_active: bool
    description: str | None
    configuration: Mapping[str, Any] | None
    last_health_check: str | None
    changed_at: str | None
    heard_at: str | None
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Out of a row of OVERVIEW."""
        heard = row["host"] is not None
        return cls(
            str(row["id"]),
            row["name"],
            row["type"],
            row["host"],
            row["health_status"] if heard else "unknown",
            row["reason"] or ("" if heard else "no agent has told of it"),
            bool(row["is_active"] if heard else row["source_is_active"]),
            row["description"],
            _maybe(orjson.loads, row["configuration"]),
            _maybe(_text, row["last_health_check"]),
            _maybe(_text, row["changed_at"]),
            _maybe(_text, row["heard_at"]),
            orjson.loads(row["detail"]) if row["detail"] else {},
        )


def _maybe(function: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else function(value)


def _text(value: datetime | str) -> str:
    return value if isinstance(value, str) else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
