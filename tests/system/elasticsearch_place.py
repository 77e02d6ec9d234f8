"""A place in an Elasticsearch: a configuration with names of one test's own, and what it made taken away."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from logintel_collector.config import CollectorConfig, ElasticsearchConfig
from logintel_collector.stores.elasticsearch import ElasticsearchClient, connected
from logintel_collector.stores.elasticsearch_indices import set_up


def configured(address: str, **stores: Any) -> CollectorConfig:
    """A collector's configuration with this Elasticsearch and further keys of `stores`."""
    prefix = f"t{secrets.token_hex(6)}-"
    return CollectorConfig.model_validate(
        {
            "stores": {
                "elasticsearch": {"hosts": [address], "prefix": prefix, **stores.pop("elasticsearch", {})},
                **stores,
            }
        }
    )


def server(config: CollectorConfig) -> ElasticsearchConfig:
    """The part of it that is Elasticsearch's."""
    assert config.stores.elasticsearch
    return config.stores.elasticsearch


@asynccontextmanager
async def place(config: ElasticsearchConfig) -> AsyncIterator[ElasticsearchClient]:
    """A client, with the templates put; what has the prefix in its name is deleted at the end."""
    async with connected(config) as client:
        await set_up(client, config)
        yield client
        await remove(client)


async def remove(client: ElasticsearchClient) -> None:
    """Delete the indices and templates of the client's prefix."""
    rows = await client.ask("GET", "/_cat/indices?format=json&h=index&expand_wildcards=all")
    if mine := [row["index"] for row in rows if client.prefix in row["index"]]:
        await client.ask("DELETE", f"/{','.join(mine)}")
    await client.ask("DELETE", f"/_index_template/{client.prefix}*")


async def names(client: ElasticsearchClient) -> set[str]:
    """The indices that have the prefix anywhere in their names, without it."""
    rows = await client.ask("GET", "/_cat/indices?format=json&h=index&expand_wildcards=all")
    return {row["index"].replace(client.prefix, "") for row in rows if client.prefix in row["index"]}
