"""Trying a cluster: whether it answers, lets us in and has our topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_trouble import explained
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused

#: Seconds that it may take in all.
TIMEOUT: Final = 10.0


async def try_cluster(config: KafkaBusConfig, topics: Sequence[str]) -> str:
    """What is there, in a few words. Raises Refused with what is not, and with what to do about it."""
    servers = ", ".join(config.bootstrap_servers)
    admin = AIOKafkaAdminClient(**client_arguments(config), request_timeout_ms=int(TIMEOUT * 1000))
    try:
        async with asyncio.timeout(TIMEOUT):
            await admin.start()
            known = set(await admin.list_topics())
            brokers = len((await admin.describe_cluster())["brokers"])
    except (KafkaError, TimeoutError, OSError) as error:
        raise Refused((await explained(error, config)).reason) from error
    finally:
        await bounded(admin.close())
    if missing := [name for name in topics if name not in known]:
        what = f"has no topic {', '.join(missing)} that this user may see"
        raise Refused(f"Kafka at {servers} {what}: run `logintel collector setup`, or grant rights on it")
    return f"Kafka at {servers}: {brokers} brokers, all topics"
