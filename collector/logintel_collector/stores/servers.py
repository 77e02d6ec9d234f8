"""Trying the stores: whether Elasticsearch and PostgreSQL answer and let us in."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from logintel.refused import Refused
from logintel_collector.config import ElasticsearchConfig, PostgresConfig
from logintel_collector.stores.elasticsearch import ElasticsearchError, connected

#: Seconds that one answer may take.
TIMEOUT: Final = 10.0


async def try_elasticsearch(config: ElasticsearchConfig) -> str:
    """What is there, in a few words. Raises Refused with what is not."""
    try:
        async with connected(config) as client:
            health = await client.ask("GET", "/_cluster/health", seconds=TIMEOUT)
    except ElasticsearchError as error:
        raise Refused(str(error)) from error
    return f"{client.at}: {health['status']}, {health['number_of_nodes']} nodes"


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
