"""Datagram listeners: UDP (RFC 5426) and Unix datagrams; one datagram is one record.

UDP cannot hold its senders back: what the disk does not take in time waits in memory, then in the kernel's buffer, and
what finds no room there is dropped by the kernel, which counts it. A Unix datagram socket makes its senders wait.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from logintel.inputs.sockets.frames import MAX_RECORD, pieces
from logintel.inputs.sockets.handover import Handover

#: Bytes of the kernel's buffer that are asked for; without CAP_NET_ADMIN it gives at most net.core.rmem_max.
BUFFER: Final = 16 * 1024 * 1024
#: Bytes of datagrams that wait in memory for the disk.
_WAITING: Final = 16 * 1024 * 1024
#: What a datagram in memory costs besides its bytes, so that empty ones are bounded too.
_EACH: Final = 128
#: Datagrams, and about how many bytes of them, handed over at once: decoding must not take longer than the kernel's
#: buffer lasts.
_BATCH: Final = 1000
_BATCH_BYTES: Final = 1024 * 1024
#: Datagrams taken from the kernel before others have their turn.
_TURN: Final = 200
#: asm-generic/socket.h: not in Python's socket module.
_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
#: SO_MEMINFO's ninth number is SK_MEMINFO_DROPS: datagrams dropped since the socket was made (sock_diag(7)).
_MEMINFO: Final = struct.Struct("9I")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class DatagramListener:
    """Receives on a bound socket. `dropped` counts what the kernel had no room for."""

    sock: socket.socket
    handover: Handover
    dropped: int = 0
    _waiting: deque[tuple[bytes, str, bool]] = field(default_factory=deque)
    _bytes: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _space: bytearray = field(default_factory=lambda: bytearray(2 * MAX_RECORD))
    _reading: bool = False

    async def run(self) -> None:
        """Serve until cancelled; what has arrived by then is still taken."""
        self._ask_for_buffer()
        self._read_on()
        try:
            while True:
                await self._arrived.wait()
                await self.handover.give(*self._taken())
                self._count_drops()
                self._read_on()
        finally:
            self._pause()
            self._receive()
            while self._waiting:
                await self.handover.give_last(*self._taken())
            self._count_drops()

    def _ask_for_buffer(self) -> None:
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER)
        except OSError:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        given = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles what it is told
        if given < BUFFER and self.sock.family != socket.AF_UNIX:
            remedy = f"`sysctl net.core.rmem_max={BUFFER}` lets bursts wait instead of being dropped"
            _log.warning("receive_buffer_small", bytes=given, wanted=BUFFER, remedy=remedy)

    def _read_on(self) -> None:
        if not self._reading and self._bytes < _WAITING:
            asyncio.get_running_loop().add_reader(self.sock, self._receive)
            self._reading = True

    def _pause(self) -> None:
        if self._reading:
            asyncio.get_running_loop().remove_reader(self.sock)
            self._reading = False

    def _receive(self) -> None:
        """Take what the kernel has, in turns and as far as there is room."""
        receive, view = self.sock.recvfrom_into, memoryview(self._space)
        with suppress(BlockingIOError, InterruptedError):
            for _ in range(_TURN):
                size, sender = receive(self._space)
                self._waiting.append((bytes(view[:size]), _peer(sender), size == len(view)))
                self._bytes += size + _EACH
                if self._bytes >= _WAITING:
                    self._pause()
                    break
        if self._waiting:
            self._arrived.set()

    def _taken(self) -> tuple[list[tuple[bytes, bool]], list[str]]:
        """The oldest datagrams as records, and the sender of each."""
        records: list[tuple[bytes, bool]] = []
        peers: list[str] = []
        enough = self._bytes - _BATCH_BYTES
        while self._waiting and len(records) < _BATCH and self._bytes > enough:
            datagram, peer, truncated = self._waiting.popleft()
            self._bytes -= len(datagram) + _EACH
            parts = pieces(datagram, truncated=truncated)
            records += parts
            peers += [peer] * len(parts)
        if not self._waiting:
            self._arrived.clear()
        return records, peers

    def _count_drops(self) -> None:
        try:
            told = self.sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        except OSError:
            return  # not a kernel that tells: Linux does since 4.12
        now = int(_MEMINFO.unpack(told)[8])
        more = (now - self.dropped) & 0xFFFFFFFF
        if more:
            before, self.dropped = self.dropped, self.dropped + more
            if before.bit_length() != self.dropped.bit_length():  # told when the number has doubled
                reason = "they came faster than they could be kept; use tcp:// or a larger net.core.rmem_max"
                _log.error("datagrams_dropped", total=self.dropped, reason=reason)


def _peer(sender: object) -> str:
    """The sender's IP address; empty where it has none."""
    return str(sender[0]) if isinstance(sender, tuple) else ""
