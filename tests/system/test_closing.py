"""The ledger of a whole installation on real servers: it closes, and what is lost on purpose is found and named.

Peers' wish 2: what came in and what became of it, at every stage, with the stage that lost something.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from installation import Installation

from logintel.bus import kafka_replay
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import INGESTION, PROCESSING, Topic
from logintel.config.load import load
from logintel.config.shared import KafkaBusConfig
from logintel.main import main
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.ended_streams import EndedStreamsChore
from logintel_collector.stores.elasticsearch import connected

LINES = 2000
TODAY = datetime.now(UTC)
#: Of a day that retention has dropped, and of one that it has not.
OLD, NEW = TODAY - timedelta(days=400), TODAY - timedelta(days=2)


def lines(first: int, last: int) -> str:
    """A tenth of them old."""
    days = [OLD if n % 10 == 0 else NEW for n in range(first, last)]
    return "".join(
        f"{day:%Y-%m-%d} 10:00:00 INFO order {n:06}\n" for n, day in zip(range(first, last), days, strict=True)
    )


@dataclass(frozen=True)
class Command:
    """`logintel` in this process, with the collector's configuration."""

    config: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        self.capsys.readouterr()
        code = main([*words, "--config", str(self.config)])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def ledger(self, code: int) -> dict[str, Any]:
        done = self("ledger", "--json")
        assert done[0] == code, done
        found: dict[str, Any] = json.loads(done[1])
        return found

    def letters(self, *words: str) -> str:
        code, out, err = self("deadletters", *words)
        assert code == 0, err
        return out


@pytest.fixture
def command(installation: Installation, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(installation.collector, capsys)


def config_of(installation: Installation) -> CollectorConfig:
    return load(CollectorConfig, installation.collector)


def ask(installation: Installation, method: str, path: str, body: dict[str, Any] | bytes | None = None) -> Any:
    async def asked() -> Any:
        elasticsearch = config_of(installation).stores.elasticsearch
        assert elasticsearch
        async with connected(elasticsearch) as client:
            return await client.ask(method, f"/{client.prefix}engineering_logs-{path}", body)

    return asyncio.run(asked())


def delete_documents(installation: Installation, numbers: Sequence[int]) -> None:
    """As somebody does who has the rights; nothing of ours deletes one document."""
    ids = [found["log_id"] for n in numbers for found in installation.search(f'message:"order {n:06}"')]
    body = b"".join(b'{"delete":{"_id":"%s"}}\n' % log_id.encode() for log_id in ids)
    assert not ask(installation, "POST", f"{NEW:%Y.%m.%d}/_bulk?refresh=true", body)["errors"]


def forget(installation: Installation, topic: Topic) -> None:
    """Delete the topic's records up to where it ends now, as retention does that came too early."""

    async def forgotten() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=installation.addresses["kafka"])
        await admin.start()
        try:
            places = {TopicPartition(topic.name, n): RecordsToDelete(before_offset=-1) for n in range(topic.partitions)}
            await admin.delete_records(places)
        finally:
            await admin.close()

    asyncio.run(forgotten())


@pytest.fixture
def stored(installation: Installation) -> Installation:
    """All is stored, but for what retention drops."""
    log = installation.directory / "app.log"
    log.write_text(lines(0, LINES))
    installation.configure([{"name": "shop", "type": "application", "paths": [str(log)]}])
    installation.run_once()
    return installation


def test_it_closes_and_a_document_that_is_gone_is_named(stored: Installation, command: Command) -> None:
    """What retention has dropped is no loss; what somebody has deleted is. What has ended becomes a total."""
    stages = command.ledger(0)["stages"]
    assert (stages["agent"]["done"], stages["processor"]["done"]) == (LINES, LINES)
    assert [(stages[stage]["came"], stages[stage]["done"]) for stage in ("indexer", "recorder")] == [
        (LINES * 9 // 10, LINES * 9 // 10)
    ] * 2
    stored.rows("DELETE FROM log_entries WHERE timestamp < $1", OLD + timedelta(days=1))
    ask(stored, "DELETE", f"{OLD:%Y.%m.%d}")
    assert command.ledger(0)["closes"]

    (stored.directory / "app.log").unlink()
    (stored.directory / "app.log").write_text(lines(LINES, LINES + 20))
    stored.run_once()
    chore = EndedStreamsChore(config_of(stored), settled=timedelta())
    asyncio.run(chore.keep())
    asyncio.run(chore.keep())
    assert chore.ended == 1
    found = command.ledger(0)
    (total,) = found["ended"]
    assert (total["source"], total["streams"], total["read"], total["acknowledged"]) == ("shop", 1, LINES, LINES)
    assert found["stages"]["agent"]["came"] == 20

    delete_documents(stored, [LINES + 11, LINES + 12, LINES + 13])
    found = command.ledger(1)
    assert found["first_gap"] == "indexer"
    (missing,) = found["missing"]
    assert (missing["stage"], missing["source"], missing["events"]) == ("indexer", "shop", 3)
    # The place in the stream: bytes of the file.
    size = len(lines(0, 1))
    assert missing["seq"][0][0] <= 12 * size <= 14 * size <= missing["seq"][1][0] <= 20 * size
    code, out, err = command("ledger")
    assert (code, "first gap: indexer" in out) == (1, True)
    assert "events are missing, first at stage indexer" in err


def test_what_was_gone_from_the_bus_is_named_with_its_offsets(installation: Installation, command: Command) -> None:
    """Retention that is too short for an outage: nobody jumps over it in silence."""
    log = installation.directory / "app.log"
    log.write_text(lines(1, 10))
    installation.configure([{"name": "shop", "type": "application", "paths": [str(log)]}])
    agent = ("agent", "run", "--config", installation.agent, "--data", installation.data, "--once")
    collect = ("collector", "run", "--config", installation.collector, "--once", "--json", "--roles")
    installation.finished(*agent)
    installation.finished(*collect, "processor,recorder")
    forget(installation, PROCESSING)
    log.write_text(lines(1, 10) + lines(11, 20))
    installation.finished(*agent)
    forget(installation, INGESTION)
    log.write_text(lines(1, 10) + lines(11, 20) + lines(21, 30))
    installation.finished(*agent)
    installation.finished(*collect, "processor,indexer,recorder")
    found = command.ledger(1)
    assert [(each["stage"], each["events"]) for each in found["missing"]] == [("processor", 9), ("indexer", 9)]
    assert found["first_gap"] == "processor"
    for missing, topic in zip(found["missing"], (INGESTION, PROCESSING), strict=True):
        gap = next(gap for gap in found["gaps"] if gap["reader"] == f"{installation.name}-{missing['stage']}")
        assert gap["records"] >= 9
        offsets = f"offsets {gap['wanted']} to {gap['continued_from'] - 1} of {topic.name}/{gap['partition']}"
        assert missing["why"].startswith(f"{offsets} were gone before they were read")


def test_dead_letters_are_known_sent_once_more_and_no_loss(stored: Installation, command: Command) -> None:
    """A table refuses rows that it takes later; a record that is no event; a letter that somebody drops."""
    command.letters("drop", "--all")  # of other tests
    stored.rows("ALTER TABLE log_entries ADD CONSTRAINT small CHECK (length(message) < 100) NOT VALID")
    with (stored.directory / "app.log").open("a") as log:
        log.writelines(f"{NEW:%Y-%m-%d} 10:00:01 INFO long {n} {'x' * 100}\n" for n in range(3))
    send_no_event(stored)
    roles = stored.run_once()
    assert (roles["processor"]["dead_letters"], roles["recorder"]["dead_letters"]) == (1, 3)
    assert command.letters("list").splitlines()[0] == "4 dead letters: 1 processor undecodable, 3 recorder refused"
    (letter, *_) = map(json.loads, command.letters("list", "--json", "--stage", "recorder").splitlines())
    assert (letter["source"], len(letter["config_version"])) == ("shop", 12)
    assert command.ledger(0)["stages"]["recorder"]["dead_letters"] == 3

    code, out, err = command("deadletters", "replay", "--stage", "recorder")
    assert (code, out) == (1, "0 sent once more, 3 kept\n")
    assert "the table refuses it again: 23514" in err
    assert command.letters("drop", letter["log_id"]) == "1 dropped\n"
    stored.rows("ALTER TABLE log_entries DROP CONSTRAINT small")
    assert command.letters("replay", "--all") == "3 sent once more, 0 kept\n"
    assert command.letters("list") == "0 dead letters\n"
    assert len(stored.rows("SELECT 1 FROM log_entries WHERE message LIKE 'long%'")) == 2

    # What was sent to the processor once more is refused once more.
    stored.collect_once()
    assert command.letters("list").splitlines()[0] == "1 dead letter: 1 processor undecodable"
    assert command.ledger(0)["stages"]["recorder"]["dead_letters"] == 1


def send_no_event(installation: Installation) -> None:
    sender = Sender(KafkaBusConfig(bootstrap_servers=(installation.addresses["kafka"],)), INGESTION)

    async def send() -> None:
        await sender.send([(b"s" * 16, b"{}", [(kafka_replay.HEADER, b"0" * 12)])])
        await sender.close()

    asyncio.run(send())
