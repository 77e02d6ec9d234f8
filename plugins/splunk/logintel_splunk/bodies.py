"""Bodies: what a request carries, bounded as sent, unzipped, and over all requests together."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from logintel_splunk.answers import TIMED_OUT, UNSUPPORTED, Refusal, refusal

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
#: Seconds that a sender may take for a body.
_PATIENCE: Final = 60.0
#: Bytes of bodies held at once, if the largest single one is smaller.
_AT_ONCE: Final = 64 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


class Bodies:
    """The bodies that a collector holds at a time, each of at most `largest` bytes."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._room = max(2 * largest, _AT_ONCE)

    @contextmanager
    def held(self) -> Iterator[Body]:
        """Room for one body, until its events are kept."""
        body = Body(self._largest, self._take)
        try:
            yield body
        finally:
            self._room += body.held

    def _take(self, size: int) -> None:
        if size > self._room:
            raise refusal(9)
        self._room -= size


class Body:
    """One body; `held` bytes of it are in memory."""

    def __init__(self, largest: int, take: Callable[[int], None]) -> None:
        self._largest = largest
        self._take = take
        self.held = 0

    async def text(self, receive: Receive, encoding: bytes) -> str:
        """All of it, unzipped, as text; what is no UTF-8 in it becomes U+FFFD.

        Raises Refusal: over the bound, no room, too slow, gone, not gzip.
        """
        if encoding not in (b"", b"identity", b"gzip"):
            raise Refusal(UNSUPPORTED)
        try:
            async with asyncio.timeout(_PATIENCE):
                data = await self._received(receive)
        except TimeoutError:
            raise Refusal(TIMED_OUT) from None
        if encoding == b"gzip" and data:
            data = self._inflated(data)
        return data.decode("utf-8", "replace")

    async def _received(self, receive: Receive) -> bytes:
        chunks = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise refusal(5)  # nobody will read it
            chunk = message.get("body", b"")
            self._hold(len(chunk))
            if self.held > self._largest:
                raise refusal(27)
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    def _inflated(self, data: bytes) -> bytes:
        """Of all members of the gzip stream."""
        parts: list[bytes] = []
        size = 0
        try:
            while data:
                inflater = zlib.decompressobj(_GZIP)
                part = inflater.decompress(data, self._largest + 1 - size)
                size += len(part)
                if size > self._largest:
                    raise refusal(27)
                if not inflater.eof:
                    raise refusal(6)  # cut off
                self._hold(len(part))
                parts.append(part)
                data = inflater.unused_data
        except zlib.error:
            raise refusal(6) from None
        return b"".join(parts)

    def _hold(self, size: int) -> None:
        self._take(size)
        self.held += size
