"""The keeper role: chores side by side, where one that fails keeps no other from being done."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator, Sequence
from typing import Final

import structlog

from logintel.refused import Refused
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping import MODULES
from logintel_collector.keeping.chore import Chore
from logintel_collector.roles import RoleName
from logintel_collector.roles.role import Gauge, Role
from logintel_collector.roles.runner import for_a_person, pauses, reason, rest

#: Seconds between two looks at how the chores get on.
_LOOK_EVERY: Final = 0.2
_log = structlog.get_logger(__name__)


class KeeperRole(Role):
    """Any number of keepers may run. `done`: how often a chore was done."""

    name: RoleName = "keeper"

    def __init__(self, chores: Sequence[Chore]) -> None:
        super().__init__()
        self._chores = chores
        self._done: set[str] = set()
        self._begun: dict[str, float] = {}

    def summary(self) -> dict[str, int]:
        """See Role."""
        counts = super().summary()
        for chore in self._chores:
            counts |= chore.summary()
        return counts

    def gauges(self) -> Iterator[Gauge]:
        """See Role."""
        for chore in self._chores:
            yield from chore.gauges()

    async def run(self, stop: asyncio.Event) -> None:
        """See Role. Raises Refused and Misconfigured, in a group."""
        async with asyncio.TaskGroup() as group:
            for chore in self._chores:
                group.create_task(self._again_and_again(chore, stop))
            while not stop.is_set():
                self._look()
                await rest(stop, _LOOK_EVERY)

    async def _again_and_again(self, chore: Chore, stop: asyncio.Event) -> None:
        waits = pauses()
        try:
            while not stop.is_set():
                if await self._try(chore):
                    waits = pauses()
                    await rest(stop, chore.every)
                else:
                    await rest(stop, next(waits))
        finally:
            await chore.close()

    async def _try(self, chore: Chore) -> bool:
        self._begun[chore.name] = self.progress.now()
        try:
            await chore.keep()
        except Exception as error:
            # A dead server shows in many ways, and none may keep the other chores from being done.
            if for_a_person(error):
                raise
            await chore.close()
            self._failed(chore, reason(error))
            return False
        finally:
            del self._begun[chore.name]
        chore.trouble = None
        self._done.add(chore.name)
        self.progress.done += 1
        self._look()
        return True

    def _failed(self, chore: Chore, trouble: str) -> None:
        if trouble != chore.trouble:
            _log.warning("chore_failed", chore=chore.name, reason=trouble, effect="tried again; the others go on")
        chore.trouble = trouble
        self.progress.tries += 1
        self._look()

    def _look(self) -> None:
        """It has caught up when each chore was done once, and gets on while none takes longer than it may."""
        now = self.progress.now()
        self.progress.trouble = "; ".join(chore.trouble for chore in self._chores if chore.trouble) or None
        hanging = any(
            now - self._begun[chore.name] > chore.patience for chore in self._chores if chore.name in self._begun
        )
        if not hanging:
            self.progress.saw(len(self._chores) - len(self._done), now)


def build(config: CollectorConfig) -> Role:
    """The role as a configuration describes it. Raises Refused."""
    stores = {name for name in ("elasticsearch", "postgres") if getattr(config.stores, name) is not None}
    wanted = [module for module, store in MODULES.items() if (store in stores if store else stores)]
    if not wanted:
        raise Refused("role keeper has nothing to keep: add stores.postgres or stores.elasticsearch, or leave it out")
    return KeeperRole([importlib.import_module(module).build(config) for module in wanted])
