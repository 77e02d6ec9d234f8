"""The HTTP proxy: between collectors and Elasticsearch; refuses requests as a busy cluster does, and counts them."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Final

from faults.proxy import Proxy

from logintel_devstack.ports import HOST

_LENGTH: Final = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_ANSWER: Final = (
    b'{"error":{"root_cause":[{"type":"es_rejected_execution_exception","reason":"rejected execution: queue is full"}],'
    b'"type":"es_rejected_execution_exception","reason":"rejected execution: queue is full"},"status":%d}'
)


@dataclass
class HttpProxy(Proxy):
    """A Proxy that knows where a request ends.

    refusing  status with which bulk requests are answered instead of being passed on; 0: none
    bulks     when each bulk request came (time.monotonic()), passed on or not
    """

    refusing: int = 0
    bulks: list[float] = field(default_factory=list)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        await asyncio.gather(self._requests(reader, writer, back), self._pump(there, writer, answers=True))
        self._open -= {writer, back}

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        """One after the other: no client of ours sends a second one before it has the answer to the first."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await self._held_back()
                bulk = b"/_bulk" in head.partition(b"\r\n")[0]
                if bulk:
                    self.bulks.append(time.monotonic())
                if bulk and self.refusing:
                    writer.write(_refusal(self.refusing))
                    await writer.drain()
                    continue
                back.write(head + body)
                await back.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            back.transport.abort()


def _refusal(status: int) -> bytes:
    body = _ANSWER % status
    head = (
        f"HTTP/1.1 {status} Refused\r\nX-elastic-product: Elasticsearch\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
