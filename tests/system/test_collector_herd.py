"""Many indexers and a cluster that refuses for a while: they ask ever more rarely, each in its own time."""

from __future__ import annotations

import asyncio
import secrets
import time

import orjson
from collector_faults.http_proxy import HttpProxy

from logintel_collector.config import ElasticsearchConfig
from logintel_collector.stores.elasticsearch import connected
from logintel_collector.stores.elasticsearch_bulk import BulkWriter, Entry, Outcome
from logintel_collector.stores.elasticsearch_indices import creating, set_up
from logintel_devstack.ports import HOST

INDEXERS, DOCUMENTS, REFUSED, LEARNING = 8, 200, 6.0, 3.0


async def index(config: ElasticsearchConfig, number: int) -> Outcome:
    """What an indexer does with what it has read."""
    head = creating(config.prefix, "2026.11.22")
    body = orjson.dumps({"timestamp": "2026-11-22T10:00:00Z", "message": "x" * 5000})
    async with connected(config) as client:
        return await BulkWriter(client).store(
            [Entry(b'%s%d-%d"}}' % (head, number, n), body) for n in range(DOCUMENTS)]
        )


def test_indexers_that_are_refused_ask_ever_more_rarely_and_store_all_in_the_end(elasticsearch: str) -> None:
    """Clients that all try again at the same moments keep a busy cluster down: a complaint of peers' users."""
    proxy = HttpProxy(int(elasticsearch.rpartition(":")[2]))
    proxy.start()
    prefix = f"t{secrets.token_hex(6)}-"
    config = ElasticsearchConfig(hosts=(f"http://{HOST}:{proxy.port}",), prefix=prefix)

    async def scenario() -> tuple[list[Outcome], float]:
        async with connected(config) as client:
            await set_up(client, config)
            proxy.refusing = 429
            began = time.monotonic()
            indexing = [asyncio.create_task(index(config, number)) for number in range(INDEXERS)]
            await asyncio.sleep(REFUSED)
            proxy.refusing = 0
            async with asyncio.timeout(120):
                outcomes = await asyncio.gather(*indexing)
            await client.ask("DELETE", f"/{prefix}engineering_logs-2026.11.22")
            await client.ask("DELETE", f"/_index_template/{prefix}*")
        return outcomes, began

    try:
        outcomes, began = asyncio.run(scenario())
    finally:
        proxy.stop()
    assert [(one.stored, one.repeats, one.refused) for one in outcomes] == [(DOCUMENTS, 0, [])] * INDEXERS
    moments = [moment - began for moment in proxy.bulks]
    assert sum(moment < REFUSED for moment in moments) >= INDEXERS * 2
    # Pauses have grown to seconds by then: without them it would be thousands.
    assert sum(LEARNING < moment < REFUSED for moment in moments) < INDEXERS * 6
