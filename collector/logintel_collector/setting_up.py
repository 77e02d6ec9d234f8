"""Setting up: what the roles need on the servers, made where it is missing; and where their groups go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from logintel.bus import topics
from logintel.bus.kafka_groups import commit_back, commit_start, earliest
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused
from logintel_collector.config import ElasticsearchConfig, PostgresConfig, StoresConfig
from logintel_collector.roles import RoleName, reader_of

#: The topic that the group of a role reads; a group is named INSTALLATION-ROLE.
GROUPS: Final[dict[RoleName, str]] = {
    "processor": topics.INGESTION.name,
    "indexer": topics.PROCESSING.name,
    "recorder": topics.PROCESSING.name,
    "analyst": topics.ANALYTICS.name,
}


async def set_up(kafka: KafkaBusConfig, installation: str, stores: StoresConfig) -> AsyncIterator[str]:
    """Do it; what was done, a line for each. Raises Refused."""
    made = await topics.set_up(kafka)
    yield f"topics: made {', '.join(made)}" if made else "topics: all there"
    for role, topic in GROUPS.items():
        group = f"{installation}-{role}"
        count = await commit_start(kafka, group, topic)
        yield f"group {group}: " + (
            f"begins at the earliest record of {count} partitions of {topic}" if count else "goes on where it was"
        )
    if stores.elasticsearch:
        yield await _set_up_elasticsearch(stores.elasticsearch)
    if stores.postgres:
        yield await _set_up_postgres(stores.postgres)
        yield await _record_start(kafka, reader_of(installation), stores.postgres)


async def rewind(kafka: KafkaBusConfig, installation: str, role: RoleName, moment: datetime) -> AsyncIterator[str]:
    """Have the role's group read once more what came since; what was done, a line. Raises Refused."""
    group, topic = f"{installation}-{role}", GROUPS[role]
    count = await commit_back(kafka, group, topic, moment)
    yield f"group {group}: reads {count:,} records of {topic} once more"


async def _set_up_elasticsearch(config: ElasticsearchConfig) -> str:
    from logintel_collector.stores import elasticsearch, elasticsearch_indices  # noqa: PLC0415 - who has one needs it

    try:
        async with elasticsearch.connected(config) as client:
            put = await elasticsearch_indices.set_up(client, config)
    except elasticsearch.ElasticsearchError as error:
        raise Refused(str(error)) from error
    return f"index templates: put {', '.join(put)}" if put else "index templates: all there"


async def _set_up_postgres(config: PostgresConfig) -> str:
    from logintel_collector.stores import postgres  # noqa: PLC0415 - who has one needs it

    try:
        async with postgres.connected(config, "setup") as connection:
            done = await postgres.migrate(connection)
    except (TimeoutError, *postgres.ERRORS) as error:
        raise Refused(f"PostgreSQL: {postgres.explained(error)}") from error
    return f"tables: applied {', '.join(done)}" if done else "tables: all there"


async def _record_start(kafka: KafkaBusConfig, reader: str, config: PostgresConfig) -> str:
    """The alerter has no group: its offsets are in the database, where one transaction moves them and the alerts."""
    from logintel_collector.stores import postgres, postgres_alerts  # noqa: PLC0415 - who has one needs it

    topic = topics.PROCESSING.name
    starts = await earliest(kafka, topic)
    try:
        async with postgres.connected(config, "setup") as connection:
            count = await postgres_alerts.record_start(connection, reader, topic, starts)
    except (TimeoutError, *postgres.ERRORS) as error:
        raise Refused(f"PostgreSQL: {postgres.explained(error)}") from error
    return f"reader {reader}: " + (
        f"begins at the earliest record of {count} partitions of {topic}" if count else "goes on where it was"
    )
