"""Gathering the books: in an order that makes a cut, so that what is merely on its way is never taken for missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from aiokafka.errors import KafkaError

from logintel.bus import topics
from logintel.bus.kafka_passed import not_passed
from logintel.bus.kafka_trouble import explained
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused
from logintel_collector.closing.closing import Books, Closing, close
from logintel_collector.closing.passed import read_passed, read_refused
from logintel_collector.closing.reports import EndedStreams, SentStream, ended_of, read_reports, streams_of
from logintel_collector.closing.stores import CountingElasticsearch, CountingPostgres, CountingStore
from logintel_collector.config import CollectorConfig
from logintel_collector.stores import elasticsearch, postgres
from logintel_collector.stream_ledger import HOUR

#: Less than the topic stream-ledger keeps.
_LOOK_BACK: Final = timedelta(days=(topics.LEDGER.days or 0) - 1)


def counting_stores(config: CollectorConfig) -> dict[str, CountingStore]:
    """Stage → the store that it fills."""
    found: dict[str, CountingStore] = {}
    retention = config.stores.retention
    if config.stores.elasticsearch:
        found["indexer"] = CountingElasticsearch(config.stores.elasticsearch, retention)
    if config.stores.postgres:
        found["recorder"] = CountingPostgres(config.stores.postgres, retention)
    return found


async def books_of(
    config: CollectorConfig, kafka: KafkaBusConfig, sent: dict[bytes, SentStream], patience: float
) -> Books:
    """Read all else than `sent`, what the agents have told of themselves before. Raises TimeoutError, KafkaError.

    What they say was acknowledged is on log-ingestion. When the processor has passed its end, all of it is in the
    ledger; when the other stages have then passed the end of log-processing, in their stores. Each stage has `patience`
    seconds for that.
    """
    name = config.installation
    behind = {"processor": await not_passed(kafka, topics.INGESTION.name, f"{name}-processor", patience)}
    passed = await read_passed(kafka, name)
    for stage in counting_stores(config):
        behind[stage] = await not_passed(kafka, topics.PROCESSING.name, f"{name}-{stage}", patience)
    now = datetime.now(UTC)
    since = (now - _LOOK_BACK).strftime(HOUR)
    return Books(sent, passed, await read_refused(kafka), behind, since, name)


class Closed(NamedTuple):
    """The books, what they say, and the sums of what has ended and was closed before."""

    books: Books
    closing: Closing
    ended: Collection[EndedStreams]


async def close_ended(
    config: CollectorConfig, kafka: KafkaBusConfig, before: str, patience: float
) -> tuple[list[SentStream], list[EndedStreams]]:
    """Streams that have ended `before`, of which nothing is missing, and the sums of their sources with them.

    Raises what reading and the stores raise.
    """
    reports = await read_reports(kafka)
    everything = streams_of(reports, config.installation)
    sent = {id_: stream for id_, stream in everything.items() if stream.ended and stream.at < before}
    if not sent:
        return [], []
    books = await books_of(config, kafka, sent, patience)
    streams = books.passed.streams
    books = replace(books, passed=replace(books.passed, streams={id_: streams[id_] for id_ in sent if id_ in streams}))
    open_ = {missing.id for missing in (await close(books, counting_stores(config))).missing}
    done = [each for id_, each in sent.items() if id_ not in open_ and not _is_behind(books, each)]
    totals, changed = ended_of(reports, config.installation), set()
    for each in done:
        place = (each.host, each.source)
        none = EndedStreams(config.installation, *place, 0, 0, 0, 0, 0)
        totals[place] = totals.get(place, none).plus(each)
        changed.add(place)
    return done, [totals[place] for place in changed]


def _is_behind(books: Books, stream: SentStream) -> bool:
    return bool(stream.waiting) or any(stream.partition in partitions for partitions in books.behind.values())


async def closed(config: CollectorConfig, kafka: KafkaBusConfig, patience: float) -> Closed:
    """All of it. Raises Refused where a server is away."""
    try:
        reports = await read_reports(kafka)
        books = await books_of(config, kafka, streams_of(reports, config.installation), patience)
        closing = await close(books, counting_stores(config))
        return Closed(books, closing, ended_of(reports, config.installation).values())
    except KafkaError as error:
        raise Refused((await explained(error, kafka)).reason) from error
    except elasticsearch.ElasticsearchError as error:
        raise Refused(str(error)) from error
    except (TimeoutError, *postgres.ERRORS) as error:
        raise Refused(f"PostgreSQL: {postgres.explained(error)}") from error
