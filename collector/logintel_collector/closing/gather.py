"""Gathering the books: in an order that makes a cut, so that what is merely on its way is never taken for missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka.errors import KafkaError

from logintel.bus import topics
from logintel.bus.kafka_passed import not_passed
from logintel.bus.kafka_trouble import explained
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused
from logintel_collector.closing.closing import Books, Closing, close
from logintel_collector.closing.passed import read_passed, read_refused
from logintel_collector.closing.reports import read_reports, streams_of
from logintel_collector.closing.stores import CountingElasticsearch, CountingPostgres, CountingStore, Kept
from logintel_collector.config import CollectorConfig
from logintel_collector.stores import elasticsearch, postgres
from logintel_collector.stream_ledger import HOUR

#: Less than the topic stream-ledger keeps.
_LOOK_BACK: Final = timedelta(days=(topics.LEDGER.days or 0) - 1)


def counting_stores(config: CollectorConfig) -> dict[str, CountingStore]:
    """Stage → the store that it fills."""
    found: dict[str, CountingStore] = {}
    if config.stores.elasticsearch:
        found["indexer"] = CountingElasticsearch(config.stores.elasticsearch)
    if config.stores.postgres:
        found["recorder"] = CountingPostgres(config.stores.postgres)
    return found


async def books_of(config: CollectorConfig, kafka: KafkaBusConfig, patience: float) -> Books:
    """Read all of it. Each stage has `patience` seconds to pass what was there before. Raises TimeoutError, KafkaError.

    First the agents' reports: what they say was acknowledged is on log-ingestion. When the processor has passed its end
    then, all of it is in the ledger; when the other stages have passed the end of log-processing, in their stores.
    """
    name = config.installation
    sent = streams_of(await read_reports(kafka), name)
    behind = {"processor": await not_passed(kafka, topics.INGESTION.name, f"{name}-processor", patience)}
    passed = await read_passed(kafka)
    for stage in counting_stores(config):
        behind[stage] = await not_passed(kafka, topics.PROCESSING.name, f"{name}-{stage}", patience)
    now = datetime.now(UTC)
    kept = Kept.of(config.stores.retention.days, now)
    since = (now - _LOOK_BACK).strftime(HOUR)
    return Books(sent, passed, await read_refused(kafka), behind, kept, since, name)


async def closed(config: CollectorConfig, kafka: KafkaBusConfig, patience: float) -> tuple[Books, Closing]:
    """The books and what they say. Raises Refused where a server is away."""
    try:
        books = await books_of(config, kafka, patience)
        return books, await close(books, counting_stores(config))
    except KafkaError as error:
        raise Refused((await explained(error, kafka)).reason) from error
    except elasticsearch.ElasticsearchError as error:
        raise Refused(str(error)) from error
    except (TimeoutError, *postgres.ERRORS) as error:
        raise Refused(f"PostgreSQL: {postgres.explained(error)}") from error
