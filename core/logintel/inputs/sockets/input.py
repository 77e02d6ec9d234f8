"""The socket input itself: all listeners of one source."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from logintel.batch import Accept
from logintel.formats import Format, Reading
from logintel.inputs.sockets.address import Address
from logintel.inputs.sockets.binding import listening
from logintel.inputs.sockets.config import ListenConfig
from logintel.inputs.sockets.datagrams import DatagramListener
from logintel.inputs.sockets.handover import Handover
from logintel.inputs.sockets.streams import StreamListener


@dataclass(slots=True)
class SocketInput:
    """Receives on the addresses of `config`, decodes with `form` (an instance for each sender) and hands over to
    `accept` before it takes more.

    bound  where it listens, with the ports that were free
    """

    config: ListenConfig
    form: Callable[[], Format]
    reading: Callable[[], Reading]
    accept: Accept
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
        async with listening(address, int(self.config.socket_mode, 8)) as opened, asyncio.TaskGroup() as group:
            for one in opened:
                if address.stream:
                    group.create_task(StreamListener(one, self._handover, slots, tls).run())
                else:
                    self._datagrams.append(listener := DatagramListener(one, self._handover()))
                    group.create_task(listener.run())
                self.bound.append(address if address.local else address._replace(port=one.getsockname()[1]))

    def _handover(self) -> Handover:
        return Handover(self.form(), self.reading, self.accept)
