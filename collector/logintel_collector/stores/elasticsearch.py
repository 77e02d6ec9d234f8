"""Elasticsearch: a client as the configuration describes it, and its errors in words that say what to do."""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import orjson
from elastic_transport import ConnectionTimeout, HttpxAsyncHttpNode, SerializationError, TlsError, TransportError
from elasticsearch import ApiError, AsyncElasticsearch, OrjsonSerializer, UnsupportedProductError

from logintel.refused import Refused
from logintel_collector.config import ElasticsearchConfig

#: Seconds that one answer may take.
TIMEOUT: Final = 60.0
#: Kind of the error that is no answer in time.
SLOW: Final = "no_answer_in_time"
_CLOSE: Final = 3.0
#: Requests from so many bytes on are compressed. Level 1 of gzip: higher ones cost twice as much and save a fifth.
_COMPRESS_FROM: Final = 1024
_GZIP: Final = 31
_JSON: Final = {"accept": "application/json", "content-type": "application/json"}
_UNAUTHORIZED, _FORBIDDEN = 401, 403


class ElasticsearchError(Exception):
    """Elasticsearch does not do it. The message holds neither secrets nor content of documents.

    status  of the answer; None: there was none
    kind    Elasticsearch's name of the error, or SLOW; "" where it gave none
    """

    def __init__(self, message: str, status: int | None = None, kind: str = "") -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


class ElasticsearchClient:
    """Asks the nodes in turn. Never asks `GET /`, which not every server has, nor tries again what a node answered."""

    def __init__(self, config: ElasticsearchConfig) -> None:
        """Raises Refused when what the configuration names cannot be used."""
        # That a node is away we say ourselves, once.
        logging.getLogger("elastic_transport.node_pool").setLevel(logging.ERROR)
        self.prefix = config.prefix
        self._compress = config.compresses
        self.at = f"Elasticsearch at {', '.join(config.hosts)}"
        try:
            self._client = AsyncElasticsearch(
                list(config.hosts),
                node_class=HttpxAsyncHttpNode,
                serializers={"application/json": OrjsonSerializer()},
                max_retries=len(config.hosts) - 1,
                retry_on_status=(),
                request_timeout=TIMEOUT,
                **_login(config),
            )
        except (OSError, ValueError) as error:
            raise Refused(f"{self.at}: {error}: check hosts and ca_certs of stores.elasticsearch") from error

    async def ask(
        self, method: str, path: str, body: bytes | Mapping[str, Any] | None = None, seconds: float = TIMEOUT
    ) -> Any:
        """The JSON that it answers. Raises ElasticsearchError."""
        headers = _JSON
        if body is not None:
            body = body if isinstance(body, bytes) else orjson.dumps(body)
            if self._compress and len(body) >= _COMPRESS_FROM:
                packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
                body, headers = packer.compress(body) + packer.flush(), {**_JSON, "content-encoding": "gzip"}
        try:
            async with asyncio.timeout(seconds):
                answer = await self._client.perform_request(method, path, headers=headers, body=body)
        except (TimeoutError, ConnectionTimeout) as error:
            message = f"{self.at} did not answer in {seconds:.0f} s: is it overloaded?"
            raise ElasticsearchError(message, kind=SLOW) from error
        except TlsError as error:
            raise ElasticsearchError(f"{self.at}: {error.message}: check ca_certs of stores.elasticsearch") from error
        except SerializationError as error:
            raise ElasticsearchError(f"{self.at} answers no JSON: is something else between?") from error
        except TransportError as error:
            reason = error.message or type(error).__name__
            raise ElasticsearchError(f"{self.at}: {reason}: is it running and reachable?") from error
        except ApiError as error:
            raise self._explained(error) from error
        return answer.body

    async def close(self) -> None:
        """Let go, in bounded time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE):
                await self._client.close()

    def _explained(self, error: ApiError) -> ElasticsearchError:
        kind, reason = cause(error.body)
        if isinstance(error, UnsupportedProductError):
            reason = "is not Elasticsearch: check hosts of stores.elasticsearch"
        elif error.status_code == _UNAUTHORIZED:
            reason = "does not let us in: check api_key, or username and password, of stores.elasticsearch"
        elif error.status_code == _FORBIDDEN and kind == "security_exception":
            reason = f"{reason}: give this user the right"
        return ElasticsearchError(f"{self.at}: {error.status_code} {reason or kind}", error.status_code, kind)


@asynccontextmanager
async def connected(config: ElasticsearchConfig) -> AsyncIterator[ElasticsearchClient]:
    """A client that is closed at the end. Raises Refused."""
    client = ElasticsearchClient(config)
    try:
        yield client
    finally:
        await client.close()


def cause(body: Any) -> tuple[str, str]:
    """(type, reason) of an error that Elasticsearch answered, the reason without the content that it quotes."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    inner = (error.get("root_cause") or [error])[0]
    return inner.get("type") or "", without_content(inner.get("reason") or "")


def without_content(reason: str) -> str:
    """A reason of Elasticsearch's, cut where it begins to quote a document."""
    return reason.partition("\n")[0].partition(" Preview of field's value")[0][:300]


def _login(config: ElasticsearchConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if config.api_key:
        found["api_key"] = config.api_key.get_secret_value()
    if config.username and config.password:
        found["basic_auth"] = (config.username, config.password.get_secret_value())
    if any(host.startswith("https:") for host in config.hosts):
        found["ssl_context"] = ssl.create_default_context(cafile=config.ca_certs)
    return found
