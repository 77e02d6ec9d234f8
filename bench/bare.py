"""The bare loops beside the indexer and the recorder: the same content, the same size of batches, no Kafka.

What is sent is ready before the clock starts.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Final

import httpx
from trial import Installation

from logintel.bus.kafka_consumer import Consumed
from logintel_collector.config import PostgresConfig
from logintel_collector.roles.group_role import STEP
from logintel_collector.stores.elasticsearch_bulk import REQUEST
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_documents import COLUMNS, lines_of, row_of
from logintel_collector.stores.postgres_entries import save_sources
from logintel_collector.stores.postgres_partitions import make_partitions

#: Behind the prefix; the template of the logs is meant for it too.
INDEX: Final = "engineering_logs-bare"
_HEADERS: Final = {"content-type": "application/x-ndjson"}
_TIMEOUT: Final = 120.0


async def bulk(installation: Installation, documents: Sequence[Consumed]) -> float:
    """Seconds that Elasticsearch takes for the documents, under their ids, those of one step side by side."""
    steps = [_requests(documents[first : first + STEP]) for first in range(0, len(documents), STEP)]
    path = f"/{installation.prefix}{INDEX}/_bulk?filter_path=errors"
    async with httpx.AsyncClient(base_url=installation.elasticsearch, timeout=_TIMEOUT) as client:
        gc.freeze()
        started = time.monotonic()
        for step in steps:
            answers = await asyncio.gather(*(client.post(path, content=body, headers=_HEADERS) for body in step))
            if any(answer.raise_for_status().json()["errors"] for answer in answers):
                raise SystemExit("the bare bulk was refused")
        return time.monotonic() - started


def _requests(step: Sequence[Consumed]) -> list[bytes]:
    """Bodies of at most the size of one of the indexer's."""
    found: list[list[bytes]] = [[]]
    size = 0
    for record in step:
        assert record.value is not None
        if size + len(record.value) > REQUEST:
            found.append([])
            size = 0
        found[-1].append(b'{"create":{"_id":"%s"}}\n%s\n' % (dict(record.headers)["log_id"], record.value))
        size += len(record.value)
    return [b"".join(lines) for lines in found]


async def copy(installation: Installation, documents: Sequence[Consumed]) -> float:
    """Seconds that PostgreSQL takes for the rows by COPY into log_entries, as it is after setting up, by steps."""
    made = [row_of(record.value or b"") for record in documents]
    rows = [row for row, _source in made]
    steps = [lines_of(rows[first : first + STEP]) for first in range(0, len(rows), STEP)]
    days = {date.fromisoformat(row.timestamp[:10]) for row in rows}
    async with connected(PostgresConfig.model_validate({"dsn": installation.bare_dsn}), "bench") as connection:
        await migrate(connection)
        await make_partitions(connection, days, datetime.now(UTC).date())
        await save_sources(connection, {source for _row, source in made})
        gc.freeze()
        started = time.monotonic()
        for lines in steps:
            await connection.copy_to_table("log_entries", source=BytesIO(lines), columns=COLUMNS)
        return time.monotonic() - started
