"""Listeners: sockets that outlive the sources which listen on them, so that a restart of one refuses nobody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from logintel.refused import Refused

#: Opens the sockets of an address, and closes them at the end. Raises Refused: it cannot be had.
Opener: TypeAlias = Callable[[], AbstractAsyncContextManager[Sequence[socket.socket]]]


class Listeners:
    """Open sockets, by a name that says all that matters of them (address, mode)."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[AsyncExitStack, Sequence[socket.socket]]] = {}
        self._used: set[str] = set()
        self._turn = asyncio.Lock()

    async def hold(self, wanted: Mapping[str, Opener]) -> None:
        """Open those that are not open yet. Raises what an opener raises."""
        async with self._turn:
            for name, opener in wanted.items():
                if name not in self._open:
                    stack = AsyncExitStack()
                    self._open[name] = stack, await stack.enter_async_context(opener())

    @asynccontextmanager
    async def use(self, name: str, opener: Opener) -> AsyncIterator[list[socket.socket]]:
        """Duplicates of the sockets, closed at the end: who comes between two users waits in the kernel.

        Raises what the opener raises; Refused when another source uses the same.
        """
        if name in self._used:
            raise Refused(f"another source listens on {name}: give one of them another address")
        await self.hold({name: opener})
        self._used.add(name)
        taken = [each.dup() for each in self._open[name][1]]
        try:
            yield taken
        finally:
            self._used.discard(name)
            for each in taken:
                each.close()

    async def keep(self, names: Container[str]) -> None:
        """Close all but these."""
        for name in [name for name in self._open if name not in names]:
            stack, _ = self._open.pop(name)
            await stack.aclose()
