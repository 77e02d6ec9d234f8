"""Alerts, rule state and notifications: what evaluating rules changes, saved in the transaction of its input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from logintel.event import Json

Severity: TypeAlias = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
Status: TypeAlias = Literal["OPEN", "ACKNOWLEDGED", "RESOLVED", "CLOSED"]


@dataclass(slots=True)
class Alert:
    """A row of `alerts` (the seed's columns). `id` is a UUIDv5 of (rule, dedup key, episode start), so that evaluating
    the same events again gives the same alert. Times are UTC, 27 characters."""

    id: str
    title: str
    description: str
    severity: Severity
    status: Status
    source_id: str | None
    log_entry_id: str | None
    rule_id: str
    triggered_at: str
    metadata: dict[str, Json] = field(default_factory=dict)
    acknowledged_at: str | None = None
    resolved_at: str | None = None
    acknowledged_by: str | None = None
    resolved_by: str | None = None
    escalation_level: int = 0


@dataclass(frozen=True, slots=True)
class RuleState:
    """The state of one rule for one group: JSON bytes that only the rule's condition reads; None: forget it."""

    rule_id: str
    group: str
    revision: str
    state: bytes | None


@dataclass(frozen=True, slots=True)
class Notification:
    """A row of the outbox: one alert event to be told. `id` is the dedup key that channels are given."""

    id: str
    alert_id: str
    body: dict[str, Json]
    created_at: str


@dataclass(slots=True)
class Changes:
    """Everything that one batch of documents changed."""

    alerts: list[Alert] = field(default_factory=list)
    states: list[RuleState] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
