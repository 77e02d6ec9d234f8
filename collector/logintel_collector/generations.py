"""Generations: runs the configured roles, and after a reload (SIGHUP) those of the configuration as it is then."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from logintel.config.problem import Misconfigured
from logintel.config.shared import MonitorConfig
from logintel.refused import Refused
from logintel.service.health import Health
from logintel.service.notify import Notify
from logintel.service.watched import watched
from logintel_collector.roles.role import Role
from logintel_collector.roles.runner import run_roles

_log = structlog.get_logger(__name__)


class Generation(NamedTuple):
    """What one reading of the configuration asks for."""

    roles: Sequence[Role]
    monitor: MonitorConfig | None


@dataclass(slots=True)
class Generations:
    """`read` reads the configuration; it raises Misconfigured or Refused where that is none that can run."""

    current: Generation
    read: Callable[[], Generation]
    notify: Notify
    _next: Generation | None = None
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event, *, once: bool) -> None:
        """Until `stop` is set or, with `once`, all is caught up. Raises what run_roles raises.

        A reload ends the roles as a stop does: what is begun is finished or left for the next ones, in this process.
        """
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        health = Health(lambda: self.current.roles)
        async with watched(health, self.notify):
            while True:
                ending = asyncio.Event()
                waiting = asyncio.create_task(self._end(ending, stop))
                try:
                    async with _monitored(self.current, health):
                        await run_roles(self.current.roles, ending, once=once)
                finally:
                    waiting.cancel()
                if self._next is None:
                    return
                self.current, self._next = self._next, None
                self.notify.ready()
                _log.info("reloaded", roles=[role.name for role in self.current.roles])

    async def _end(self, ending: asyncio.Event, stop: asyncio.Event) -> None:
        """Set `ending` when a stop or a reload asks for it; a reload that cannot be changes nothing."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not ending.is_set():
                asked = asyncio.create_task(self._asked.wait())
                await asyncio.wait({stopping, asked}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                if stop.is_set() or await self._reload():
                    ending.set()
        finally:
            stopping.cancel()

    async def _reload(self) -> bool:
        self._asked.clear()
        self.notify.reloading()
        try:
            self._next = await asyncio.to_thread(self.read)
        except (Misconfigured, Refused) as error:
            _log.error("reload_refused", reason=str(error), effect="the configuration that runs stays")
            self.notify.ready()
            return False
        return True


def _monitored(generation: Generation, health: Health) -> AbstractAsyncContextManager[None]:
    if generation.monitor is None:
        return nullcontext()
    from logintel.service.monitor import monitored  # noqa: PLC0415 - an HTTP server: only who is asked for it needs it
    from logintel_collector.metrics import metrics  # noqa: PLC0415 - as above

    return monitored(generation.monitor, health, lambda: metrics(generation.roles))
