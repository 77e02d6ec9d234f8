"""The HTTP server under the collector: uvicorn, with bounds on what a sender may hold before it is known.

A request's head, the framing of its body and what trails it have room for 64 KiB; a head has 30 seconds.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from logintel.service.http_server import HttpServer
from logintel_splunk.collector import Collector

#: Bytes of a request that are not its body.
_HEAD_BYTES: Final = 64 * 1024
#: Seconds from a request's first byte, or from connecting, to the end of its head; and between looks.
_HEAD_SECONDS: Final = 30.0
_LOOK: Final = 5.0
#: Seconds that a connection stays open between requests.
_KEPT_ALIVE: Final = 65
#: Seconds that a stop waits for requests.
_CLOSING: Final = 2
_log = structlog.get_logger(__name__)


async def serve(
    collector: Collector, listening: Sequence[socket.socket], tls: ssl.SSLContext | None, max_connections: int
) -> None:
    """Serve until cancelled; then requests that are being kept are still answered, within two seconds."""
    config = _Config(
        collector,
        http=_Bounded,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",  # a line for each request that is no HTTP would let anybody fill the log
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEPT_ALIVE,
        timeout_graceful_shutdown=_CLOSING,
    )
    config.max_connections = max_connections
    config.load()
    config.ssl = tls
    server = HttpServer(config)
    serving = asyncio.create_task(server.serve(sockets=list(listening)))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_hurry(server))
            await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        for connection in _connections(server):  # of requests that were not kept in time: nobody will answer them
            connection.transport.abort()


async def _hurry(server: HttpServer) -> None:
    """Let go of connections whose next request does not get on."""
    while True:
        await asyncio.sleep(_LOOK)
        now = asyncio.get_running_loop().time()
        for connection in _connections(server):
            if connection.late(now):
                connection.transport.abort()


def _connections(server: HttpServer) -> list[_Bounded]:
    return [connection for connection in server.server_state.connections if isinstance(connection, _Bounded)]


class _Config(uvicorn.Config):
    max_connections: int = 0
    refused_connections: int = 0


class _Bounded(HttpToolsProtocol):
    """One connection."""

    config: _Config

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._beside = 0  # bytes of the request that are not its body
        self._since: float | None = self.loop.time()  # since when a head is awaited; None: a body is, or an answer
        self._between = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.config.max_connections:
            self.config.refused_connections += 1
            if self.config.refused_connections.bit_count() == 1:  # told when the number has doubled
                _log.warning(
                    "connections_at_limit", limit=self.config.max_connections, closed=self.config.refused_connections
                )
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._between:
            self._between = False
            self._since = self.loop.time()
        self._beside += len(data)
        super().data_received(data)
        if self._beside > _HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Request header fields too large")

    def on_headers_complete(self) -> None:
        self._since = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside = max(0, self._beside - 2 * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside, self._between = 0, True
        super().on_message_complete()

    def late(self, now: float) -> bool:
        """Whether the head is awaited for too long."""
        return self._since is not None and now - self._since > _HEAD_SECONDS
