"""The episode: the alert of one group from its first breach until it is over, and what people are told of it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Final, Literal, TypeAlias

import orjson

from logintel.event import Json
from logintel.identity import named_id
from logintel_collector.alert import Alert, Notification, Severity
from logintel_collector.rules.breach import SAMPLES, Breach
from logintel_collector.rules.conditions import ThresholdConditions
from logintel_collector.rules.group import Sighting, instant, timestamp
from logintel_collector.rules.rule import Rule

#: Why a notification is made.
Occasion: TypeAlias = Literal["opened", "escalated", "repeated", "resolved"]

SEVERITIES: Final[tuple[Severity, ...]] = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
#: Longest title (the column's width), and text of a value or a message in an alert, characters.
MAX_TITLE: Final = 255
MAX_VALUE: Final = 100
MAX_MESSAGE: Final = 300


def opened(rule: Rule, seen: Sighting, breach: Breach, samples: list[str]) -> Alert:
    """The alert that a breach begins. Its id comes from the rule, the group and the event that made the breach."""
    group = {group.field: value for group, value in zip(rule.conditions.group_by, seen.values, strict=True)}
    document = seen.document
    where = ", ".join(f"{field.rpartition('.')[2]}={_text(value)}" for field, value in group.items())
    metadata: dict[str, Json] = {
        "rule": rule.name,
        "group": {field: _cut(value) for field, value in group.items()},
        "where": where,
        "window": _window(rule),
        "count": 0,
        "value": 0,
        "threshold": breach.threshold,
        "first_seen": seen.stamp,
        "last_seen": seen.stamp,
        "log_ids": _evidence(breach, samples),
        "message": str(document.source.get("message", ""))[:MAX_MESSAGE],
    }
    alert = Alert(
        id=named_id("alert", rule.id, seen.key, document.timestamp, document.log_id),
        title=(f"{rule.name}: {where}" if where else rule.name)[:MAX_TITLE],
        description="",
        severity=breach.severity,
        status="OPEN",
        source_id=_optional(document.source.get("source_id")),
        log_entry_id=document.log_id,
        rule_id=rule.id,
        triggered_at=seen.stamp,
        metadata=metadata,
    )
    _count(alert, breach, seen)
    return alert


def continued(alert: Alert, seen: Sighting, breach: Breach, samples: list[str]) -> bool:
    """Count one more breach into its alert. Whether that made it more severe."""
    worse = SEVERITIES.index(breach.severity) > SEVERITIES.index(alert.severity)
    if worse:
        alert.severity = breach.severity
        alert.metadata |= {"threshold": breach.threshold, "log_ids": _evidence(breach, samples)}
    _count(alert, breach, seen)
    return worse


def describe(alert: Alert, rule: Rule) -> None:
    """Say in words what has been counted."""
    reason = alert.metadata["reason"] = _reason(alert.metadata)
    alert.description = f"{rule.config.description}\n{reason}" if rule.config.description else reason


def resolved(alert: Alert, at: str, why: str) -> None:
    """End the episode."""
    alert.status, alert.resolved_at = "RESOLVED", at
    alert.metadata["resolution"] = why


def last_seen(alert: Alert) -> int:
    """When the newest event of the episode happened, microseconds."""
    return instant(str(alert.metadata["last_seen"]))


def notification(alert: Alert, occasion: Occasion, number: int, now: int) -> Notification:
    """What people are told now; the alert's `number`th time, which says what of two came later."""
    name = named_id("notification", alert.id, str(number))
    body: dict[str, Any] = {
        "id": name,
        "number": number,
        "occasion": occasion,
        "created_at": timestamp(now),
        "alert": asdict(alert),
    }
    return Notification(name, alert.id, body, timestamp(now))


def snapshot(alert: Alert) -> Alert:
    """A copy that later events do not change."""
    return replace(alert, metadata=dict(alert.metadata))


def _count(alert: Alert, breach: Breach, seen: Sighting) -> None:
    facts: dict[str, Any] = alert.metadata
    facts["count"] += breach.counted
    facts["value"] = max(facts["value"], breach.value)
    first = seen.stamp if breach.first == seen.at else timestamp(breach.first)
    facts["first_seen"] = min(facts["first_seen"], first)
    facts["last_seen"] = max(facts["last_seen"], seen.stamp)


def _evidence(breach: Breach, samples: list[str]) -> list[Json]:
    return list(samples[-min(breach.value, SAMPLES) :])


def _reason(seen: dict[str, Json]) -> str:
    where = f" with {seen['where']}" if seen["where"] else ""
    if seen["threshold"] is None:
        return f"{seen['count']} matching event{'' if seen['count'] == 1 else 's'}{where}"
    return f"{seen['value']} events in {seen['window']}{where}, threshold {seen['threshold']}"


def _window(rule: Rule) -> str | None:
    return str(rule.conditions.window.size) if isinstance(rule.conditions, ThresholdConditions) else None


def _text(value: Json) -> str:
    return str(_cut("(none)" if value is None else value))


def _cut(value: Json) -> Json:
    """Numbers and short text as they are, everything else as text of bounded length."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _optional(value: Json) -> str | None:
    return None if value is None else str(value)
