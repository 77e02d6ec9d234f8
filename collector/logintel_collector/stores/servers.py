"""Trying the stores: whether Elasticsearch and PostgreSQL answer and let us in."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from logintel.refused import Refused
from logintel_collector.config import ElasticsearchConfig, PostgresConfig

#: Seconds that one answer may take.
TIMEOUT: Final = 10.0


async def try_elasticsearch(config: ElasticsearchConfig) -> str:
    """What is there, in a few words. Raises Refused with what is not."""
    return await asyncio.to_thread(_health, config)


async def try_postgres(config: PostgresConfig) -> str:
    """What is there, in a few words. Raises Refused with what is not; never with the DSN, which holds a password."""
    try:
        async with asyncio.timeout(TIMEOUT):
            connection = await asyncpg.connect(config.dsn.get_secret_value(), timeout=TIMEOUT)
            try:
                version = await connection.fetchval("SHOW server_version")
            finally:
                connection.terminate()
    except TimeoutError as error:
        raise Refused(f"PostgreSQL did not answer in {TIMEOUT:.0f} s: check stores.postgres.dsn") from error
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Refused(f"PostgreSQL: {reason}: check stores.postgres.dsn and that it is running") from error
    return f"PostgreSQL {version}"


def _health(config: ElasticsearchConfig) -> str:
    hosts = ", ".join(config.hosts)
    login: dict[str, Any] = {}
    if config.api_key:
        login["api_key"] = config.api_key.get_secret_value()
    if config.username and config.password:
        login["basic_auth"] = (config.username, config.password.get_secret_value())
    if config.ca_certs:
        login["ca_certs"] = str(config.ca_certs)
    try:
        with Elasticsearch(list(config.hosts), request_timeout=TIMEOUT, max_retries=0, **login) as client:
            health = client.cluster.health()
    except (ApiError, TransportError, OSError, ValueError) as error:
        raise Refused(f"Elasticsearch at {hosts}: {type(error).__name__}: {error}".partition("\n")[0]) from error
    return f"Elasticsearch at {hosts}: {health['status']}, {health['number_of_nodes']} nodes"
