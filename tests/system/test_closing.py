"""The ledger of a whole installation on real servers: it closes, and what is lost on purpose is found and named.

Peers' wish 2: what came in and what became of it, at every stage, with the stage that lost something.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from installation import COMMAND, Installation

from logintel.bus import kafka_replay
from logintel.bus.kafka_sender import Sender
from logintel.bus.topics import INGESTION, PROCESSING
from logintel.config.load import load
from logintel.config.shared import KafkaBusConfig
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


def ledger(installation: Installation, code: int, *words: str) -> dict[str, Any]:
    command = [*COMMAND, "ledger", "--config", str(installation.collector), "--json", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def letters(installation: Installation, *words: str) -> str:
    return installation.finished("deadletters", *words, "--config", installation.collector).stdout


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


def forget(installation: Installation, topic: str, end: int) -> None:
    """Delete the topic's records from before its ends now, as retention does that came too early."""

    async def forgotten() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=installation.addresses["kafka"])
        await admin.start()
        try:
            places = {TopicPartition(topic, n): RecordsToDelete(before_offset=-1) for n in range(end)}
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


def test_it_closes_and_a_document_that_is_gone_is_named(stored: Installation) -> None:
    """What retention has dropped is no loss; what somebody has deleted is."""
    whole = ledger(stored, 0)
    assert whole["stages"]["agent"]["done"] == LINES
    assert whole["stages"]["processor"]["done"] == LINES
    assert whole["stages"]["indexer"] == {
        **whole["stages"]["indexer"],
        "came": LINES * 9 // 10,
        "done": LINES * 9 // 10,
    }
    assert whole["stages"]["recorder"]["done"] == LINES * 9 // 10
    stored.rows("DELETE FROM log_entries WHERE timestamp < $1", OLD + timedelta(days=1))
    ask(stored, "DELETE", f"{OLD:%Y.%m.%d}")
    assert ledger(stored, 0)["closes"]

    delete_documents(stored, [11, 12, 13])
    found = ledger(stored, 1)
    assert found["first_gap"] == "indexer"
    (missing,) = found["missing"]
    assert (missing["stage"], missing["source"], missing["events"]) == ("indexer", "shop", 3)
    assert missing["seq"][0][0] <= 12 * 33 <= missing["seq"][1][0]


def test_what_was_gone_from_the_bus_is_named_with_its_offsets(installation: Installation) -> None:
    """Retention that is too short for an outage: nobody jumps over it in silence."""
    log = installation.directory / "app.log"
    log.write_text(lines(1, 10))
    installation.configure([{"name": "shop", "type": "application", "paths": [str(log)]}])
    agent = ("agent", "run", "--config", installation.agent, "--data", installation.data, "--once")
    collect = ("collector", "run", "--config", installation.collector, "--once", "--json", "--roles")
    installation.finished(*agent)
    installation.finished(*collect, "processor,recorder")
    forget(installation, PROCESSING.name, PROCESSING.partitions)
    log.write_text(lines(1, 10) + lines(11, 20))
    installation.finished(*agent)
    installation.finished(*collect, "processor,indexer,recorder")
    found = ledger(installation, 1)
    (gap,) = [gap for gap in found["gaps"] if gap["reader"] == f"{installation.name}-indexer" and gap["records"]]
    assert gap["records"] >= 9
    (missing,) = found["missing"]
    assert (missing["stage"], missing["events"]) == ("indexer", 9)
    assert f"of {PROCESSING.name}/{gap['partition']} were gone before they were read" in missing["why"]

    # Now before anybody of the collector has read it.
    log.write_text(lines(1, 10) + lines(11, 20) + lines(21, 30))
    installation.finished(*agent)
    forget(installation, INGESTION.name, INGESTION.partitions)
    log.write_text(lines(1, 10) + lines(11, 20) + lines(21, 30) + lines(31, 40))
    installation.finished(*agent)
    installation.finished(*collect, "processor,indexer,recorder")
    found = ledger(installation, 1)
    assert found["first_gap"] == "processor"
    assert [(each["stage"], each["events"]) for each in found["missing"]] == [("processor", 9), ("indexer", 9)]
    assert f"of {INGESTION.name}/" in found["missing"][0]["why"]


def test_dead_letters_are_known_sent_once_more_and_no_loss(stored: Installation) -> None:
    """A table that refuses what is not short: its rows are letters, then rows; a letter that is dropped is no loss."""
    stored.rows("ALTER TABLE log_entries ADD CONSTRAINT small CHECK (length(message) < 100) NOT VALID")
    with (stored.directory / "app.log").open("a") as log:
        log.writelines(f"{NEW:%Y-%m-%d} 10:00:01 INFO long {n} {'x' * 100}\n" for n in range(3))
    assert stored.run_once()["recorder"]["dead_letters"] == 3
    listed = letters(stored, "list").splitlines()
    assert listed[0] == "3 dead letters: 3 recorder refused"
    (letter, *_) = [json.loads(line) for line in letters(stored, "list", "--json").splitlines()]
    assert (letter["stage"], letter["source"], len(letter["config_version"])) == ("recorder", "shop", 12)
    assert ledger(stored, 0)["stages"]["recorder"]["dead_letters"] == 3

    command = [*COMMAND, "deadletters", "replay", "--all", "--config", str(stored.collector)]
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (refused.returncode, refused.stdout) == (1, "0 sent once more, 3 kept\n")
    assert "the table refuses it again: 23514" in refused.stderr
    assert letters(stored, "drop", letter["log_id"]) == "1 dropped\n"
    stored.rows("ALTER TABLE log_entries DROP CONSTRAINT small")
    assert letters(stored, "replay", "--stage", "recorder") == "2 sent once more, 0 kept\n"
    assert letters(stored, "list") == "0 dead letters\n"
    assert len(stored.rows("SELECT 1 FROM log_entries WHERE message LIKE 'long%'")) == 2
    assert ledger(stored, 0)["stages"]["recorder"]["dead_letters"] == 1


def test_streams_that_have_ended_become_a_total(stored: Installation) -> None:
    (stored.directory / "app.log").unlink()
    (stored.directory / "app.log").write_text(lines(LINES, LINES + 5))
    stored.run_once()
    chore = EndedStreamsChore(config_of(stored), settled=timedelta())
    asyncio.run(chore.keep())
    asyncio.run(chore.keep())
    assert chore.ended == 1
    found = ledger(stored, 0)
    (total,) = found["ended"]
    assert (total["source"], total["streams"], total["read"], total["acknowledged"]) == ("shop", 1, LINES, LINES)
    assert found["stages"]["agent"]["came"] == 5


def test_a_letter_of_the_processor_goes_on_where_it_was_refused(stored: Installation) -> None:
    """What is no event stays one that cannot go on; it is counted and no loss."""
    sender = Sender(KafkaBusConfig(bootstrap_servers=(stored.addresses["kafka"],)), INGESTION)

    async def send() -> None:
        await sender.send([(b"s" * 16, b"{}", [(kafka_replay.HEADER, b"0" * 12)])])
        await sender.close()

    asyncio.run(send())
    assert stored.collect_once()["processor"]["dead_letters"] == 1
    assert letters(stored, "list", "--stage", "processor").startswith("1 dead letter: 1 processor undecodable\n")
    assert letters(stored, "replay", "--stage", "processor") == "1 sent once more, 0 kept\n"
    assert letters(stored, "list") == "0 dead letters\n"
    stored.collect_once()
    assert letters(stored, "list").startswith("1 dead letter: 1 processor undecodable\n")
    assert ledger(stored, 0)["closes"]
