"""The senders: real lines with marks through the agent's own producer, and poison through a foreign one."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faults.history import History

from collector_faults import poison
from collector_faults.marks import mark_of
from logintel.bus import Record
from logintel.bus.kafka_link import abandon
from logintel.bus.kafka_producer import KafkaProducer
from logintel.bus.topics import INGESTION, PROCESSING
from logintel.config.shared import KafkaBusConfig
from logintel.encoder import Encoder
from logintel.event import Envelope, Event
from logintel.formats import Reading
from logintel.hooks import load_plugins
from logintel.identity import identify, source_id

SAMPLES: Final = Path(__file__).parents[3] / "examples" / "samples"
#: Events of one batch, at most, and how many batches of a hundred come again, as after an answer that was lost.
_BATCH: Final = 400
_REPEATED: Final = 4
#: Every so many an event is one that the rule waits for.
WATCHED: Final = 20
TAG: Final = "watched"
#: Days back over which the events of a run are spread, so that indices and partitions are made on the way.
_DAYS: Final = 6


@dataclass(frozen=True)
class Plan:
    """`events` of each of the `writers`, spread over `seconds`, and `poisons` of each kind."""

    writers: Sequence[str]
    events: int
    seconds: float
    poisons: int

    @property
    def watched(self) -> dict[str, int]:
        """By writer: how many events the rule has to count."""
        return dict.fromkeys(self.writers, -(-self.events // WATCHED))


def samples() -> list[Event]:
    """The lines of every sample, as format `auto` decodes them."""
    formats = load_plugins().formats
    found: list[Event] = []
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and path.suffix in {".log", ".json"}:
            lines = path.read_text("utf-8", "replace").splitlines()
            decoded = formats.create("auto").decode(lines, Reading(UTC, datetime.now(UTC)))
            found += [event for event in decoded if isinstance(event, Event)]
    return found


class Senders:
    """All of them in a thread of their own; what the cluster has acknowledged is in the history."""

    def __init__(self, kafka: KafkaBusConfig, plan: Plan, seed: int, history: History) -> None:
        self._kafka, self._plan, self._seed, self._history = kafka, plan, seed, history
        self._samples = samples()
        self._began = datetime.now(UTC)

    def run(self, over: threading.Event, broken: threading.Event) -> None:
        """Send all, as evenly over the time as the cluster lets; at once when it is `over`, nothing more when `broken`.

        Raises what a sender raises.
        """
        asyncio.run(self._run(over, broken))

    async def _run(self, over: threading.Event, broken: threading.Event) -> None:
        producer = KafkaProducer(self._kafka, _refuse)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._write(producer, writer, over)) for writer in self._plan.writers]
                tasks.append(group.create_task(self._poison("poison", INGESTION.name, list(poison.ON_INGESTION), over)))
                tasks.append(
                    group.create_task(self._poison("stray", PROCESSING.name, list(poison.ON_PROCESSING), over))
                )
                while not all(task.done() for task in tasks):
                    await asyncio.sleep(0.2)
                    if broken.is_set():
                        for task in tasks:
                            task.cancel()
        finally:
            await producer.close()

    async def _write(self, producer: KafkaProducer, writer: str, over: threading.Event) -> None:
        dice, loop = random.Random(f"{self._seed} {writer}"), asyncio.get_running_loop()
        stream = writer.encode().ljust(16, b"-")
        encoder = Encoder(Envelope(source_id("faults", writer, None), {"source": writer, "source_type": "custom"}))
        sent, began = 0, loop.time()
        while sent < self._plan.events:
            due = int(self._plan.events * (loop.time() - began) / self._plan.seconds) + 1
            last = min(self._plan.events, due, sent + dice.randint(1, _BATCH))
            if last > sent:
                records = list(self._records(encoder, writer, stream, range(sent, last)))
                await (await producer.send(records))
                self._history.wrote(writer, sent, last - 1, "log-ingestion")
                if dice.randrange(100) < _REPEATED:
                    await (await producer.send(records))
                sent = last
            if not over.is_set():
                await asyncio.sleep(dice.uniform(0, 0.1))

    def _records(self, encoder: Encoder, writer: str, stream: bytes, numbers: range) -> Iterator[Record]:
        ids, seqs = identify(stream, [(number, number + 1) for number in numbers])
        for number, log_id, seq in zip(numbers, ids, seqs, strict=True):
            sample = self._samples[number % len(self._samples)]
            mark = mark_of(writer, number)
            event = replace(
                sample,
                raw=f"{sample.raw} {mark}",
                message=f"{sample.message} {mark}",
                metadata=dict(sample.metadata),
                tags=[*sample.tags, *([TAG] if number % WATCHED == 0 else [])],
            )
            yield Record(encoder.encode(event, self._moment(number), "record", log_id), stream, seq)

    def _moment(self, number: int) -> str:
        """Backwards from today, so that no alert is over on the way."""
        back = timedelta(days=_DAYS * number / self._plan.events)
        return (self._began - back).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def _poison(self, writer: str, topic: str, kinds: list[str], over: threading.Event) -> None:
        """Each kind so often as the plan says, in a random order, evenly over the time."""
        dice = random.Random(f"{self._seed} {writer}")
        cards = kinds * self._plan.poisons
        dice.shuffle(cards)
        make = poison.on_ingestion if topic == INGESTION.name else poison.on_processing
        foreign = _Foreign(self._kafka, topic)
        try:
            for number, kind in enumerate(cards):
                key, value, headers = make(kind, f"{writer}{number % 4}", number)
                await foreign.send(key, value, headers)
                self._history.wrote(f"{writer}{number % 4}", number, number, kind)
                if not over.is_set():
                    await asyncio.sleep(self._plan.seconds / len(cards) * dice.uniform(0, 1.6))
        finally:
            await foreign.close()


class _Foreign:
    """A producer that has no limits of its own, and compresses as well as it can."""

    def __init__(self, kafka: KafkaBusConfig, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._producer: AIOKafkaProducer | None = None

    async def send(self, key: bytes, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        """Until the cluster has it."""
        while True:
            try:
                async with asyncio.timeout(15):
                    producer = self._producer or await self._connect()
                    await producer.send_and_wait(self._topic, value, key, headers=headers)
            except MessageSizeTooLargeError:
                raise  # the bench's own mistake
            except (KafkaError, TimeoutError, OSError):
                await self.close()
                await asyncio.sleep(0.5)
            else:
                return

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await abandon(producer)

    async def _connect(self) -> AIOKafkaProducer:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=list(self._kafka.bootstrap_servers),
            compression_type="lz4",
            max_request_size=64 * 1024 * 1024,
            acks="all",
        )
        await self._producer.start()
        return self._producer


async def _refuse(record: Record, reason: str) -> None:
    raise AssertionError(f"the cluster refused {record.stream!r}: {reason}")
