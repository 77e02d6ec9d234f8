"""Monitor: /livez, /readyz and /metrics over HTTP, for load balancers, orchestrators and Prometheus."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from logintel.config.shared import MonitorConfig
from logintel.refused import Refused
from logintel.service.health import Verdict
from logintel.service.http_server import HttpServer

#: Requests at once; more are answered 503.
_AT_ONCE: Final = 16
#: Seconds that a stop waits for requests.
_CLOSING: Final = 1


@asynccontextmanager
async def monitored(
    config: MonitorConfig, health: Verdict, metrics: Callable[[], Iterable[Metric]]
) -> AsyncIterator[None]:
    """Serve while in it. Raises Refused when the address cannot be had."""
    listening = _bound(config)
    server = HttpServer(
        uvicorn.Config(
            _application(health, metrics),
            http="h11",  # the faster parser that an agent has too puts no bound on a request's head
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=_AT_ONCE,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=_CLOSING,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _application(health: Verdict, metrics: Callable[[], Iterable[Metric]]) -> Starlette:
    registry = CollectorRegistry()
    registry.register(_Told(metrics))
    ProcessCollector(registry=registry)

    async def livez(_request: Request) -> Response:
        return _verdict(health.stalled())

    async def readyz(_request: Request) -> Response:
        return _verdict(health.unready())

    async def exposition(_request: Request) -> Response:
        return PlainTextResponse(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", exposition)],
    )


def _verdict(reasons: list[str]) -> Response:
    return JSONResponse({"ok": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)


class _Told(Collector):
    """What the process counts anyway, asked for when somebody wants to know."""

    def __init__(self, metrics: Callable[[], Iterable[Metric]]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("logintel_build", "Version of this process.", {"version": version("logintel")})
        yield from self._metrics()


def _bound(config: MonitorConfig) -> socket.socket:
    host, port = config.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise Refused(
            f"monitor.listen: cannot listen on {config.listen}: {error.strerror or error}: stop what uses it "
            "(`ss -lntp` shows it) or choose another port"
        ) from error
    return listening
