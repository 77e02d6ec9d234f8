"""Trying a cluster: whether it answers, lets us in and has our topics."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.topics import ALL
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused

#: Seconds that it may take in all.
TIMEOUT: Final = 10.0


async def try_cluster(config: KafkaBusConfig) -> str:
    """What is there, in a few words. Raises Refused with what is not."""
    servers = ", ".join(config.bootstrap_servers)
    admin = AIOKafkaAdminClient(**client_arguments(config), request_timeout_ms=int(TIMEOUT * 1000))
    try:
        async with asyncio.timeout(TIMEOUT):
            await admin.start()
            known = set(await admin.list_topics())
            brokers = len((await admin.describe_cluster())["brokers"])
    except TimeoutError as error:
        raise Refused(f"Kafka at {servers} did not answer in {TIMEOUT:.0f} s") from error
    except KafkaError as error:
        raise Refused(f"Kafka at {servers}: {error}") from error
    finally:
        await bounded(admin.close())
    missing = [topic.name for topic in ALL if topic.name not in known]
    if missing:
        raise Refused(f"Kafka at {servers} has no topic {', '.join(missing)}: run `logintel collector setup`")
    return f"Kafka at {servers}: {brokers} brokers, all topics"
