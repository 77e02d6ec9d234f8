"""Group commit: many appends wait for one sync, and a failed sync is told to each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

#: Two syncs start at least this far apart (seconds), unless so many bytes wait.
_INTERVAL: Final = 0.005
_HEAVY: Final = 1024 * 1024


class GroupCommit:
    """Runs `sync` for whoever joined before it starts. The first to come does not wait for company."""

    def __init__(self, sync: Callable[[], Awaitable[None]]) -> None:
        self._sync = sync
        self._group: asyncio.Future[None] | None = None
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    def join(self, size: int) -> asyncio.Future[None]:
        """A future that ends when a sync that starts after this call is done, or raises what it raised."""
        if self._group is None:
            self._group = asyncio.get_running_loop().create_future()
        self._bytes += size
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return asyncio.shield(self._group)  # a waiter that is cancelled must not cancel the others

    async def drain(self) -> None:
        """Return when nobody waits any more."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            while self._group is not None:
                started = asyncio.get_running_loop().time()
                await self._commit()
                spent = asyncio.get_running_loop().time() - started
                if self._bytes < _HEAVY:
                    await asyncio.sleep(max(0.0, _INTERVAL - spent))
        finally:
            self._task = None

    async def _commit(self) -> None:
        group, self._bytes = self._group, 0
        self._group = None
        assert group is not None
        try:
            await self._sync()
        except Exception as error:  # noqa: BLE001 - it is raised again, in every waiter
            # Those who joined meanwhile wrote behind what failed: they must not be told anything better.
            for waiting in (group, self._group):
                if waiting is not None:
                    waiting.set_exception(error)
            self._group = None
        else:
            group.set_result(None)
