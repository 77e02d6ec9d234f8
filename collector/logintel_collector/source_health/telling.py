"""Telling: a change of a source's health in the log."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from logintel_collector.source_health.watch import Change

_log = structlog.get_logger(__name__)


def tell(changes: Sequence[Change]) -> None:
    """Log each change; what got worse is a warning."""
    for source, host, was, now, reason in changes:
        worse = now in ("unhealthy", "degraded")
        say = _log.warning if worse else _log.info
        say("source_health_changed", source=source, host=host, was=was, now=now, reason=reason or None)
