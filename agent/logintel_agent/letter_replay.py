"""Replaying letters: what the bus refused is sent once more, under its own id; a letter goes when the bus has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from aiokafka.errors import KafkaError

from logintel.bus import Record, kafka_replay
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import INGESTION
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused
from logintel_agent.agent_letters import AgentLetters, Place
from logintel_agent.dead_letters import REFUSED
from logintel_agent.kept_letter import Kept
from logintel_agent.outgoing import TOO_LONG

#: Letters that are sent before they are taken away: what a kill has sent once more.
_STEP: Final = 100


@dataclass(slots=True)
class Replayed:
    """What became of a replay: how many the bus has, and of each other letter why not."""

    sent: int = 0
    refused: list[tuple[Kept, str]] = field(default_factory=list)


async def replay(letters: AgentLetters, places: Iterable[Place], kafka: KafkaBusConfig) -> Replayed:
    """Send letters once more, one after the other. Raises Refused when the bus is away: the rest is still there."""
    result = Replayed()
    sender = Sender(kafka, INGESTION)
    done: list[Place] = []
    try:
        for place in places:
            why_not = _why_not(place.kept) or await _send(sender, place.kept)
            if why_not:
                result.refused.append((place.kept, why_not))
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


def _why_not(kept: Kept) -> str | None:
    """Why a letter cannot go on from where it was refused; None: it can."""
    letter = kept.letter
    if letter.reason == REFUSED:
        return None
    if letter.reason == TOO_LONG:
        return "the event was sent cut, under the same id; this is the whole, which the bus does not take"
    return f"stage {letter.stage} held it back, so it must not leave this host: mend its rule; `show` has the text"


async def _send(sender: Sender, kept: Kept) -> str | None:
    """Why the bus does not take it; None: it has it. Raises Refused when the bus is away."""
    record = Record(kept.letter.original, kept.stream, kept.seq)
    try:
        await sender.send([kafka_replay.message(record)])
    except (TimeoutError, KafkaError) as error:
        if isinstance(error, KafkaError) and not error.retriable:
            return f"the bus refuses it again: {type(error).__name__}: {error}"
        said = str(error) or "no answer in time"
        raise Refused(f"Kafka did not take it ({said}): what was not sent is still here; try again later") from error
    return None
