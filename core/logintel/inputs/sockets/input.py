"""The socket input itself: all listeners of one source."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial

from logintel.batch import Accept
from logintel.formats import Format, Reading
from logintel.inputs.sockets.address import Address
from logintel.inputs.sockets.binding import listening
from logintel.inputs.sockets.config import ListenConfig
from logintel.inputs.sockets.datagrams import DatagramListener
from logintel.inputs.sockets.handover import Handover
from logintel.inputs.sockets.streams import StreamListener
from logintel.listeners import Listeners, Opener


def openers(config: ListenConfig) -> Mapping[str, Opener]:
    """What a source with this configuration listens on, for `Source.listening`. Raises Refused: a certificate."""
    if config.tls:
        config.tls.context()
    return {str(address): opener_of(address, config) for address in config.addresses()}


def opener_of(address: Address, config: ListenConfig) -> Opener:
    """Opens the sockets of one of its addresses."""
    return partial(listening, address, int(config.socket_mode, 8))


@dataclass(slots=True)
class SocketInput:
    """Receives on the addresses of `config`, decodes with `form` (an instance for each sender) and hands over to
    `accept` before it takes more.

    listeners  keep the sockets when this ends; None: they are closed
    bound  where it listens, with the ports that were free
    """

    config: ListenConfig
    form: Callable[[], Format]
    reading: Callable[[], Reading]
    accept: Accept
    listeners: Listeners | None = None
    bound: list[Address] = field(default_factory=list)
    _datagrams: list[DatagramListener] = field(default_factory=list)

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel had no room for."""
        return sum(listener.dropped for listener in self._datagrams)

    async def run(self) -> None:
        """Serve until cancelled. Raises Refused when an address cannot be listened on, or a certificate not used."""
        tls = self.config.tls.context() if self.config.tls else None
        slots = asyncio.Semaphore(self.config.max_connections)
        async with asyncio.TaskGroup() as group:
            for address in self.config.addresses():
                group.create_task(self._serve(address, slots, tls if address.protocol == "tls" else None))

    async def _serve(self, address: Address, slots: asyncio.Semaphore, tls: ssl.SSLContext | None) -> None:
        async with self._listening(address) as opened, asyncio.TaskGroup() as group:
            for one in opened:
                if address.stream:
                    group.create_task(StreamListener(one, self._handover, slots, tls).run())
                else:
                    self._datagrams.append(listener := DatagramListener(one, self._handover()))
                    group.create_task(listener.run())
                self.bound.append(address if address.local else address._replace(port=one.getsockname()[1]))

    def _listening(self, address: Address) -> AbstractAsyncContextManager[Sequence[socket.socket]]:
        opener = opener_of(address, self.config)
        return self.listeners.use(str(address), opener) if self.listeners else opener()

    def _handover(self) -> Handover:
        return Handover(self.form(), self.reading, self.accept)
