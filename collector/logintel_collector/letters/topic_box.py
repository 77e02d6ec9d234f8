"""The topic's letter box: what processor, indexer and recorder have put into log-dead-letter.

The newest record of a key counts. A letter that went on is replaced by nothing (a tombstone); one that somebody dropped
by a note without its content, so that the ledger can tell it from a loss. Offsets of a group would not do: letters are
taken care of in any order. Who finds letters needs no other place to look at, and compaction deletes what is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiokafka.errors import KafkaError

from logintel.bus.kafka_scan import scan
from logintel.bus.kafka_sender import Sender
from logintel.bus.kafka_trouble import explained
from logintel.bus.topics import DEAD_LETTERS
from logintel.config.shared import KafkaBusConfig
from logintel.dead_letter import DeadLetter, from_json
from logintel.letter_box import Found
from logintel.refused import Refused
from logintel_collector.letters.record import source_of
from logintel_collector.letters.reentry import Reentry
from logintel_collector.processor import stamp
from logintel_collector.roles.messages import dropped_out

_SCHEMA: Final = ("schema", b"1")


class TopicBox:
    """See LetterBox."""

    def __init__(self, kafka: KafkaBusConfig, reentry: Reentry, topic: str = DEAD_LETTERS.name) -> None:
        self._kafka, self._reentry, self._topic = kafka, reentry, topic
        self._sender = Sender(kafka, DEAD_LETTERS._replace(name=topic))
        self._unknown = 0

    async def letters(self) -> AsyncIterator[Found]:
        """See LetterBox. Read twice, first for what is the newest of each key: no content is kept in memory."""
        newest: dict[tuple[int, bytes], int] = {}
        async for record in self._records():
            newest[record.partition, record.key] = record.offset
        waiting = {(partition, offset) for (partition, _), offset in newest.items()}
        self._unknown = 0
        async for record in self._records():
            if record.value is None or (record.partition, record.offset) not in waiting:
                continue
            letter = _letter_of(record.value)
            if letter is not None:
                yield Found(letter, source_of(letter), (record.partition, record.key))
            elif not is_note(record.value):
                self._unknown += 1

    async def drop(self, found: Sequence[Found]) -> int:
        """See LetterBox."""
        at = stamp(datetime.now(UTC))
        await self._send([dropped_out(each.place[1], each.letter, at) for each in found], found)
        return len(found)

    async def replay(self, found: Sequence[Found]) -> list[tuple[Found, str]]:
        """See LetterBox."""
        stay = await self._reentry.enter(found)
        staying = {id(each) for each, _ in stay}
        gone = [each for each in found if id(each) not in staying]
        await self._send([(each.place[1], None, [_SCHEMA]) for each in gone], gone)
        return stay

    def notes(self) -> list[str]:
        """See LetterBox."""
        return [f"{self._unknown} records of {self._topic} are no letters of this version"] if self._unknown else []

    async def close(self) -> None:
        """See LetterBox."""
        await self._sender.close()
        await self._reentry.close()

    async def _records(self) -> AsyncIterator[Any]:
        try:
            async with aclosing(scan(self._kafka, self._topic)) as pages:
                async for page in pages:
                    for record in page:
                        yield record
        except (TimeoutError, KafkaError, OSError) as error:
            raise Refused((await explained(error, self._kafka, self._topic)).reason) from error

    async def _send(self, messages: Sequence[Any], found: Sequence[Found]) -> None:
        try:
            await self._sender.send(messages, partitions=[each.place[0] for each in found])
        except (TimeoutError, KafkaError) as error:
            raise Refused(f"{(await explained(error, self._kafka, self._topic)).reason}: do it again") from error


def is_note(value: bytes) -> bool:
    """Whether a record of the topic is the note that a letter was dropped."""
    try:
        return "dropped_at" in orjson.loads(value)
    except (ValueError, TypeError):
        return False


def _letter_of(value: bytes) -> DeadLetter | None:
    try:
        return from_json(orjson.loads(value))
    except ValueError:
        return None
