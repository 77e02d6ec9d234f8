"""Which letter boxes a command means: those of the agent, the collector or both, by what is configured or is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from logintel.bus import Record
from logintel.config.load import load
from logintel.config.problem import Misconfigured, Problem
from logintel.letter_box import LetterBox
from logintel_agent.agent_box import AgentBox
from logintel_agent.config import AgentConfig
from logintel_collector.config import CollectorConfig

#: Keys of a file that is a collector's, and those of one that is an agent's.
COLLECTORS: Final = {"stores", "roles", "rules_dir", "notify"}
AGENTS: Final = {"agent", "sources"}


class WholeConfig(AgentConfig, CollectorConfig):
    """The keys of both ends, with servers or without."""


def configured(file: str | None, data: Path) -> WholeConfig:
    """What a file says of both ends. Raises Misconfigured."""
    return load(WholeConfig, file, data)


def is_collectors_alone(config: WholeConfig) -> bool:
    """Whether the file is a collector's, which has nothing to do with an agent on this host."""
    keys = config.model_fields_set
    return config.bus.kafka is not None and bool(keys & COLLECTORS) and not keys & AGENTS


async def _nowhere(_record: Record) -> None:
    message = "is missing: name the agent's configuration with --config, so that it is known where to send"
    raise Misconfigured([Problem("", 0, "bus.kafka", message)])


def boxes(config: WholeConfig, data: Path) -> Iterator[LetterBox]:
    """The boxes, the agent's first."""
    kafka = config.bus.kafka
    if kafka is None:
        from logintel_collector.letters.sqlite_box import SqliteBox  # noqa: PLC0415 - who has Kafka needs no SQLite

        store = SqliteBox(config.stores.sqlite.path, data, config)
        if config.stores.sqlite.path.exists():
            yield AgentBox(config, store.forward, store.close)
            yield store
        else:
            yield AgentBox(config, _nowhere, store.close)
        return
    from logintel.bus.kafka_forward import KafkaForward  # noqa: PLC0415 - only who has Kafka needs its client

    if not is_collectors_alone(config):
        forward = KafkaForward(kafka)
        yield AgentBox(config, forward, forward.close)
    if config.model_fields_set & COLLECTORS:
        from logintel_collector.letters.reentry import Reentry  # noqa: PLC0415 - as above
        from logintel_collector.letters.topic_box import TopicBox  # noqa: PLC0415 - as above

        yield TopicBox(kafka, Reentry(config, KafkaForward(kafka)))
