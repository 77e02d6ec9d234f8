"""The health of the sources of a run in one process, judged as on servers, into the SQLite file."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import structlog

from logintel.config.version import config_version
from logintel_agent.agent import Agent
from logintel_agent.self_description import host_facts
from logintel_collector.source_health.telling import tell
from logintel_collector.source_health.watch import Change, Watch
from logintel_collector.stores.errors import StoreFull, StoreLocked
from logintel_collector.stores.sqlite import Store
from logintel_embedded.config import EmbeddedConfig

#: Seconds between two looks, and between two writes while nothing changes.
EVERY: Final = 5.0
WRITE_EVERY: Final = 30.0
_WORKER: Final = "0"
_log = structlog.get_logger(__name__)


class SourcesHealth:
    """Looks at `agent` regularly while `run` is, and once more with `last`."""

    def __init__(self, config: EmbeddedConfig, agent: Agent, store: Store) -> None:
        self._agent, self._store, self._installation = agent, store, config.installation
        self._about = {"version": version("logintel"), "config_version": config_version(config)}
        self._host = socket.gethostname()
        self._watch: Watch | None = None
        self._written = float("-inf")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            tell(await self._look())

    async def last(self) -> None:
        """As the run leaves it."""
        self._written = float("-inf")
        await self._look()

    async def _look(self) -> Sequence[Change]:
        if self._watch is None:
            self._watch = Watch(await self._store.source_memories())
        status = await self._agent.status(streams=False)
        description = {"host_facts": host_facts(), "sources": self._agent.described()}
        self._watch.hear(self._host, _WORKER, "agent", {**self._about, **status}, None)
        self._watch.hear(self._host, _WORKER, "config", description, None)
        changes = self._watch.judge()
        if changes or time.monotonic() - self._written >= WRITE_EVERY:
            await self._write(self._watch)
        return changes

    async def _write(self, watch: Watch) -> None:
        try:
            await self._store.save_health(self._installation, watch.findings())
        except (StoreFull, StoreLocked) as error:
            _log.warning("health_not_written", reason=str(error), effect="tried again; events are not affected")
        else:
            self._written = time.monotonic()
