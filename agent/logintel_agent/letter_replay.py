"""Replaying letters: each is sent once more, under its own id, and taken away when the bus has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from aiokafka.errors import KafkaError

from logintel.bus import Record, kafka_replay
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import INGESTION
from logintel.refused import Refused
from logintel_agent.agent_letters import AgentLetters, Place
from logintel_agent.config import AgentConfig
from logintel_agent.kept_letter import Kept
from logintel_agent.letter_reentry import Reentry, StaysHere

#: Letters that are sent before they are taken away: what a kill has sent once more.
_STEP: Final = 100


@dataclass(slots=True)
class Replayed:
    """What became of a replay: how many the bus has, and of each other letter why not."""

    sent: int = 0
    refused: list[tuple[Kept, str]] = field(default_factory=list)


async def replay(letters: AgentLetters, places: Iterable[Place], config: AgentConfig) -> Replayed:
    """Send letters once more, one after the other. Raises Refused when the bus is away: the rest is still there."""
    assert config.bus.kafka is not None
    result, reentry = Replayed(), Reentry(config)
    sender = Sender(config.bus.kafka, INGESTION)
    done: list[Place] = []
    try:
        for place in places:
            try:
                await _send(sender, Record(reentry.value(place.kept), place.kept.letter.stream, place.kept.letter.seq))
            except StaysHere as error:
                result.refused.append((place.kept, str(error)))
                continue
            done.append(place)
            result.sent += 1
            if len(done) == _STEP:
                letters.remove(done)
                done.clear()
    finally:
        letters.remove(done)
        await sender.close()
    return result


async def _send(sender: Sender, record: Record) -> None:
    """Raises StaysHere when the bus does not take it, Refused when the bus is away."""
    try:
        await sender.send([kafka_replay.message(record)])
    except (TimeoutError, KafkaError) as error:
        if isinstance(error, KafkaError) and not error.retriable:
            raise StaysHere(f"the bus refuses it again: {type(error).__name__}: {error}") from error
        said = str(error) or "no answer in time"
        raise Refused(f"Kafka did not take it ({said}): what was not sent is still here; try again later") from error
