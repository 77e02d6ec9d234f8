"""Lag in time, on a real Kafka: a reader that retention is about to overtake is named before anything is lost."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from logintel.bus.kafka_groups import commit_start
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import Topic
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping import lag
from logintel_collector.keeping.lag import Lags
from logintel_collector.roles import reader_of
from logintel_collector.stores.postgres import connected, migrate
from logintel_collector.stores.postgres_alerts import record_start


@asynccontextmanager
async def topic(kafka: str, retention: int) -> AsyncIterator[Topic]:
    made = Topic(f"lag-{secrets.token_hex(6)}", 2, 7)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        configs = {"retention.ms": str(retention), "message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(made.name, made.partitions, 1, topic_configs=configs)])
        yield made
        await admin.delete_topics([made.name])
    finally:
        await admin.close()


def test_who_is_half_the_retention_behind_is_named(
    kafka: str, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"lag-{secrets.token_hex(6)}"
    keys = {"bus": {"kafka": {"bootstrap_servers": [kafka]}}, "stores": {"postgres": {"dsn": database}}}
    config = CollectorConfig.model_validate({**keys, "installation": name})

    async def scenario() -> None:
        assert config.bus.kafka
        assert config.stores.postgres
        async with topic(kafka, 600_000) as made, connected(config.stores.postgres, "test") as connection:
            monkeypatch.setattr(lag, "GROUPS", {"processor": made.name, "indexer": made.name})
            monkeypatch.setattr(lag, "PROCESSING", made)
            await migrate(connection)
            await commit_start(config.bus.kafka, f"{name}-processor", made.name)
            sender = Sender(config.bus.kafka, made)
            await sender.send([(str(number).encode(), b"x", []) for number in range(10)])
            await sender.close()
            chore = Lags(config)
            await chore.keep()
            found = chore.lags["processor"]
            assert found.records == 10
            assert 0 < found.seconds < 300
            assert set(chore.lags) == {"processor"}  # nobody has set up the others
            assert chore.in_danger == set()
            monkeypatch.setattr(lag, "DANGER", found.seconds / 1000)
            await record_start(connection, reader_of(name), made.name, {0: 0, 1: 0})
            await chore.keep()
            await chore.keep()
            assert chore.in_danger == {"processor", "alerter"}
            assert chore.lags["alerter"].records == 10
            seconds, records = chore.gauges()
            assert records.values == {"processor": 10, "alerter": 10}
            assert seconds.values.keys() == records.values.keys()

    asyncio.run(scenario())
    assert capsys.readouterr().out.count("lag_passes_half_of_retention") == 2
