"""Reload: puts the configuration files, as they are now, into effect; what cannot be used changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import structlog

from logintel.config.load import Loaded
from logintel.config.problem import Misconfigured
from logintel.refused import Refused
from logintel_agent.config import AgentConfig
from logintel_agent.reload_plan import Plan, plan

_log = structlog.get_logger(__name__)

#: Reads the configuration files. Raises Misconfigured.
Load: TypeAlias = Callable[[], Loaded[AgentConfig]]


class Appliance(Protocol):
    """What a configuration is put into effect on."""

    async def apply(self, config: AgentConfig, changed: Container[str] = ()) -> None:
        """See Agent."""

    async def stream_counts(self) -> dict[str, int]:
        """Streams that have cursors, by source."""


class Reload:
    """One reload at a time. `loaded` is what is in effect; `last` the result of the last one, as JSON.

    A result has `outcome`: applied, unchanged, planned, invalid (`problems` say why), or refused (`reason` says why).
    """

    def __init__(self, load: Load, loaded: Loaded[AgentConfig], appliance: Appliance) -> None:
        self.loaded = loaded
        self.last: dict[str, Any] | None = None
        self._load, self._appliance = load, appliance
        self._turn = asyncio.Lock()

    async def reload(self, *, only_plan: bool = False) -> dict[str, Any]:
        """Do it, or only say what it would do; the result."""
        async with self._turn:
            result = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **await self._result(only_plan=only_plan)}
            if not only_plan:
                self.last = result
                _tell(result)
            return result

    async def _result(self, *, only_plan: bool) -> dict[str, Any]:
        try:
            loaded = await asyncio.to_thread(self._load)
        except Misconfigured as error:
            return {"outcome": "invalid", "problems": [problem._asdict() for problem in error.problems]}
        counts = await self._appliance.stream_counts()
        planned = plan(self.loaded.config, loaded.config, lambda source: counts.get(source, 0))
        return {"plan": planned.to_json(), **await self._applied(loaded, planned, only_plan=only_plan)}

    async def _applied(self, loaded: Loaded[AgentConfig], planned: Plan, *, only_plan: bool) -> dict[str, Any]:
        if planned.fixed:
            keys = ", ".join(planned.fixed)
            return {"outcome": "refused", "reason": f"{keys}: only a restart changes this: restart the agent"}
        if only_plan:
            return {"outcome": "planned"}
        if not planned.empty:
            try:
                await self._appliance.apply(loaded.config, planned.changed)
            except Exception as error:  # noqa: BLE001 - a plugin is foreign code: whatever it raises, the old one runs on
                kind = "" if isinstance(error, Refused) else f"{type(error).__name__}: "
                return {"outcome": "refused", "reason": f"{kind}{error}; the configuration before it is in effect"}
        self.loaded = loaded
        return {"outcome": "unchanged" if planned.empty else "applied"}


def _tell(result: dict[str, Any]) -> None:
    match result["outcome"]:
        case "invalid":
            problems = [f"{one['file']}:{one['line']}: {one['key']}: {one['message']}" for one in result["problems"]]
            _log.error("reload_refused", problems=problems, effect="the configuration before it stays in effect")
        case "refused":
            _log.error("reload_refused", reason=result["reason"])
        case outcome:
            counts = {name: len(result["plan"][name]) for name in ("added", "removed", "changed", "kept")}
            _log.info("configuration_reloaded", outcome=outcome, **counts)
