"""Where readers begin that have read nothing yet, said before they start: consumer groups, and those without one."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from logintel.bus.kafka_connection import bounded, client_arguments
from logintel.bus.kafka_trouble import explained
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused

#: Seconds that this may take in all.
TIMEOUT: Final = 60.0
#: Seconds after which every broker knows of a topic.
_HEARD: Final = 5.0


async def commit_start(config: KafkaBusConfig, group: str, topic: str) -> int:
    """Commit the earliest offset of each partition of `topic` that `group` never committed; how many those were.

    What is committed stays. Raises Refused when the cluster cannot be asked or refuses (a group that is running must
    be stopped first, if it has partitions without an offset).
    """
    consumer = AIOKafkaConsumer(**client_arguments(config), group_id=group, enable_auto_commit=False)
    try:
        async with asyncio.timeout(TIMEOUT):
            await consumer.start()
            places = await places_of(consumer, topic)
            consumer.assign(places)
            fresh = [place for place in places if await consumer.committed(place) is None]
            if fresh:
                await consumer.commit(await consumer.beginning_offsets(fresh))
    except TimeoutError as error:
        raise Refused(f"group {group}: Kafka did not answer in {TIMEOUT:.0f} s") from error
    except KafkaError as error:
        raise Refused(f"group {group} of topic {topic}: {error}: stop its members, then try again") from error
    finally:
        await bounded(consumer.stop())
    return len(fresh)


async def commit_back(config: KafkaBusConfig, group: str, topic: str, moment: datetime) -> int:
    """Have `group` read once more what came to `topic` from `moment` on, by the broker's time; how many records.

    It never goes forward. Raises Refused as commit_start does; a group that is running must be stopped first.
    """
    consumer = AIOKafkaConsumer(**client_arguments(config), group_id=group, enable_auto_commit=False)
    try:
        async with asyncio.timeout(TIMEOUT):
            await consumer.start()
            places = await places_of(consumer, topic)
            consumer.assign(places)
            found = await consumer.offsets_for_times(dict.fromkeys(places, int(moment.timestamp() * 1000)))
            reached = {place: await consumer.committed(place) for place in places}
            back = {
                place: since.offset
                for place, since in found.items()
                if since is not None and since.offset < (reached[place] or 0)
            }
            if back:
                await consumer.commit(back)
    except TimeoutError as error:
        raise Refused(f"group {group}: Kafka did not answer in {TIMEOUT:.0f} s") from error
    except KafkaError as error:
        raise Refused(f"group {group} of topic {topic}: {error}: stop its members, then try again") from error
    finally:
        await bounded(consumer.stop())
    return sum((reached[place] or 0) - offset for place, offset in back.items())


async def earliest(config: KafkaBusConfig, topic: str) -> dict[int, int]:
    """{partition: offset of its earliest record}. Raises Refused when the cluster cannot be asked or has no topic.

    For a reader that keeps its offsets elsewhere.
    """
    consumer = AIOKafkaConsumer(**client_arguments(config), group_id=None, enable_auto_commit=False)
    try:
        async with asyncio.timeout(TIMEOUT):
            await consumer.start()
            found = await consumer.beginning_offsets(await places_of(consumer, topic))
    except (KafkaError, TimeoutError, OSError) as error:
        raise Refused(f"topic {topic}: {(await explained(error, config, topic)).reason}") from error
    finally:
        await bounded(consumer.stop())
    return {place.partition: offset for place, offset in found.items()}


async def places_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Its partitions; a broker hears of a topic that was just made a moment later. Raises Refused."""
    deadline = asyncio.get_running_loop().time() + _HEARD
    while True:
        # Asks for all topics: asking for one would make it, with the broker's defaults.
        cluster = await consumer._client.fetch_all_metadata()  # noqa: SLF001
        places = [TopicPartition(topic, number) for number in sorted(cluster.partitions_for_topic(topic) or ())]
        if places:
            return places
        if asyncio.get_running_loop().time() > deadline:
            raise Refused(f"topic {topic} is missing or this user may not see it")
        await asyncio.sleep(0.1)
