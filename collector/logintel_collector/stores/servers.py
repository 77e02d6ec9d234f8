"""Trying the stores: whether Elasticsearch and PostgreSQL answer and let us in."""

from __future__ import annotations

from typing import Final

from logintel.refused import Refused
from logintel_collector.config import ElasticsearchConfig, PostgresConfig
from logintel_collector.stores.elasticsearch import ElasticsearchError, connected
from logintel_collector.stores.postgres import ERRORS, explained
from logintel_collector.stores.postgres import connected as connected_to_postgres

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
        async with connected_to_postgres(config, "check") as connection:
            version = await connection.fetchval("SHOW server_version", timeout=TIMEOUT)
    except (TimeoutError, *ERRORS) as error:
        raise Refused(f"PostgreSQL: {explained(error)}") from error
    return f"PostgreSQL {version}"
