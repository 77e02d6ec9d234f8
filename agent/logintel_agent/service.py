"""The service: a running agent as its user meets it, by signals and on the control socket."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from logintel.config.version import config_version
from logintel.service.notify import Notify
from logintel.service.watched import watched
from logintel_agent.control import Message, served
from logintel_agent.progress import Progress
from logintel_agent.reload import Appliance, Reload
from logintel_agent.status import Status, health


class Work(Appliance, Protocol):
    """What a service runs: an agent in this process, or a supervisor of several."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, or until the end of the input in a run that ends."""

    async def status(self, *, streams: bool) -> Status:
        """What it does; see status."""


@dataclass(slots=True)
class Service:
    """Runs `work`, and answers for it in `directory`."""

    directory: Path
    work: Work
    reloading: Reload
    notify: Notify = field(default_factory=Notify.from_environment)
    _started: float = field(default_factory=time.monotonic)
    _reloads: set[asyncio.Task[Message]] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Until the work ends. SIGHUP reloads the configuration."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        progress = Progress(partial(self._status, streams=False))
        try:
            async with (
                served(self.directory, self._answer),
                progress.looking(),
                self._monitored(progress),
                watched(progress, self.notify),
            ):
                await self.work.run(stop)
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            for reload in self._reloads:
                reload.cancel()

    def _on_hangup(self) -> None:
        reload = asyncio.ensure_future(self._reload(only_plan=False))
        self._reloads.add(reload)
        reload.add_done_callback(self._reloads.discard)

    async def _reload(self, *, only_plan: bool) -> Message:
        """The service manager hears of what changes something."""
        if only_plan:
            return await self.reloading.reload(only_plan=True)
        self.notify.reloading()
        try:
            return await self.reloading.reload()
        finally:
            self.notify.ready()

    def _monitored(self, progress: Progress) -> AbstractAsyncContextManager[None]:
        config = self.reloading.loaded.config.monitor
        if config is None:
            return nullcontext()
        from logintel.service.monitor import monitored  # noqa: PLC0415 - an HTTP server: only who is asked needs it
        from logintel_agent.metrics import metrics  # noqa: PLC0415 - as above

        return monitored(config, progress, lambda: metrics(progress.last))

    async def _answer(self, request: Message) -> Message:
        match request.get("ask"):
            case "status":
                return await self._status(streams=bool(request.get("streams")))
            case "reload":
                return await self._reload(only_plan=bool(request.get("plan")))
        raise ValueError(f"unknown request {str(request.get('ask'))[:100]!r}: this is logintel {version('logintel')}")

    async def _status(self, *, streams: bool) -> Status:
        status = await self.work.status(streams=streams)
        loaded, last = self.reloading.loaded, self.reloading.last
        further = list(status.pop("reasons", ()))
        if last is not None and last["outcome"] in ("invalid", "refused"):
            further.append("the last reload was refused: `logintel agent reload --plan` says why")
        return {
            "health": health(status, further),
            "version": version("logintel"),
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._started, 3),
            "config": {"files": list(loaded.files), "hash": config_version(loaded.config)},
            **status,
            "last_reload": last,
        }
