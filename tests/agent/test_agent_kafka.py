"""`logintel agent run` against a real broker: lines of a file arrive, and a kill costs nothing."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import secrets
import signal
import string
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from bus_topic import until
from fault_proxy import proxied

from logintel.bus.kafka_assigned import AssignedConsumer
from logintel.bus.kafka_consumer import GroupConsumer
from logintel.bus.topics import INGESTION, STATUS, set_up
from logintel.config.shared import KafkaBusConfig
from logintel.event import decode
from logintel_agent.agent_letters import AgentLetters
from logintel_agent.dead_letters import DeadLettersSection

#: So many that sending them takes longer than the pause between two saves of the checkpoint.
LINES = 200_000
CODE = "import sys; from logintel.main import main; sys.exit(main())"


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", CODE, "agent", "run", *words]


def written(tmp_path: Path, kafka: str, lines: int) -> Path:
    """A configuration over a file whose lines name this test alone."""
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    tag = secrets.token_hex(8)
    (tmp_path / "tag").write_text(tag)
    (tmp_path / "app.log").write_text("".join(f"{tag} request {n}\n" for n in range(lines)))
    path = tmp_path / "agent.yaml"
    source = {"name": "shop", "type": "application", "paths": [str(tmp_path / "app.log")], "format": "plain"}
    bus = {"kafka": {"bootstrap_servers": [kafka]}}
    path.write_text(json.dumps({"installation": f"test-{tag}", "bus": bus, "sources": [source]}))
    return path


async def arrived(kafka: str, tag: str, lines: int) -> list[tuple[str, str, int]]:
    """(message, log_id, partition) of every event of this test, until nothing more comes."""
    consumer = GroupConsumer(
        KafkaBusConfig(bootstrap_servers=(kafka,)), INGESTION.name, f"group-{secrets.token_hex(6)}"
    )
    await consumer.start()
    found: list[tuple[str, str, int]] = []
    quiet = 0
    try:
        async with asyncio.timeout(60):
            while quiet < 2:
                batches = await consumer.read(5000, 1.0)
                for batch in batches:
                    values = [record.value for record in batch.records if record.value and tag.encode() in record.value]
                    found += [(str(e["message"]), str(e["log_id"]), batch.partition) for e in map(decode, values)]
                quiet = 0 if batches or len(set(found)) < lines else quiet + 1
    finally:
        await consumer.stop()
    return found


def test_every_line_arrives_once_and_a_second_run_sends_nothing(tmp_path: Path, kafka: str) -> None:
    config = written(tmp_path, kafka, 3000)
    words = command("--config", str(config), "--data", str(tmp_path / "data"), "--once", "--json")
    first = subprocess.run(words, capture_output=True, check=True)
    second = subprocess.run(words, capture_output=True, check=True)
    assert json.loads(first.stdout)["events_sent"] == 3000
    assert json.loads(second.stdout)["events_sent"] == 0
    tag = (tmp_path / "tag").read_text()
    found = asyncio.run(arrived(kafka, tag, 3000))
    assert [message for message, _, _ in found] == [f"{tag} request {n}" for n in range(3000)]
    assert len({log_id for _, log_id, _ in found}) == 3000
    assert len({partition for _, _, partition in found}) == 1
    heartbeat, description, stream = asyncio.run(reported(kafka, f"test-{tag}"))
    assert (heartbeat["kind"], heartbeat["stopped"], heartbeat["worker"]) == ("agent", True, 0)
    assert [source["name"] for source in heartbeat["sources"]] == ["shop"]
    (shop,) = heartbeat["sources"]
    assert (shop["streams"], shop["lag_bytes"], shop["worst"], shop["troubles"]) == (1, 0, [], [])
    assert shop["last_read"] is not None
    (described,) = description["sources"]
    assert (described["id"], described["configuration"]["paths"]) == (shop["id"], [str(tmp_path / "app.log")])
    assert description["host_facts"]["kernel"]
    assert (stream["source"], stream["read"], stream["acknowledged"], stream["waiting"]) == ("shop", 3000, 3000, 0)
    assert (stream["ended"], stream["partition"]) == (False, found[0][2])
    assert stream["ranges"] == ledger_of(tmp_path)["accounts"][0]["ranges"]


async def reported(kafka: str, installation: str) -> list[dict[str, Any]]:
    """The newest record of each key on agent-status, heartbeats first."""
    consumer = AssignedConsumer(KafkaBusConfig(bootstrap_servers=(kafka,)), STATUS.name, {})
    await consumer.start()
    newest: dict[bytes, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(60):
            while await consumer.lag():
                for record in (record for batch in await consumer.read(5000, 1.0) for record in batch.records):
                    value = json.loads(record.value or b"{}")
                    if value["installation"] == installation:
                        newest[record.key or b""] = value
    finally:
        await consumer.stop()
    return sorted(newest.values(), key=lambda value: str(value["kind"]))


def test_killed_at_any_moment_nothing_is_lost_and_doubles_have_the_same_id(tmp_path: Path, kafka: str) -> None:
    config = written(tmp_path, kafka, LINES)
    words = command("--config", str(config), "--data", str(tmp_path / "data"), "--once", "--json")
    checkpoint = tmp_path / "data" / "agent" / "worker-0" / "checkpoint"
    for _ in range(2):
        before = delivered(checkpoint)
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while delivered(checkpoint) == before:
            assert running.poll() is None
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    last = subprocess.run(words, capture_output=True, check=True)
    assert 0 < json.loads(last.stdout)["events_sent"] < LINES, "no kill came in mid-flow"
    tag = (tmp_path / "tag").read_text()
    found = asyncio.run(arrived(kafka, tag, LINES))
    assert {message for message, _, _ in found} == {f"{tag} request {n}" for n in range(LINES)}
    assert len(set(found)) == LINES  # one id and one partition a message, however often it was sent
    first_seen = list(dict.fromkeys(message for message, _, _ in found))
    assert first_seen == [f"{tag} request {n}" for n in range(LINES)]
    ledger = ledger_of(tmp_path)
    assert ledger["adds_up"]
    assert ledger["total"] == {"read": LINES, "acknowledged": LINES, "waiting": 0}


def ledger_of(tmp_path: Path) -> dict[str, Any]:
    """What `logintel ledger` says."""
    words = [sys.executable, "-m", "logintel", "ledger", "--data", str(tmp_path / "data"), "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    return found


async def limit_messages(kafka: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        change = ConfigResource(ConfigResourceType.TOPIC, INGESTION.name, {"max.message.bytes": str(size)})
        answers = await admin.alter_configs([change])
        assert all(not error for answer in answers for error, *_ in answer.resources)
    finally:
        await admin.close()


def test_what_the_bus_refuses_is_a_dead_letter_until_the_bus_has_it(tmp_path: Path, kafka: str) -> None:
    """Complaint 8: one oversize record is retried for ever, or dropped unseen."""
    config = written(tmp_path, kafka, 3)
    tag = (tmp_path / "tag").read_text()
    long = "".join(random.Random(tag).choices(string.ascii_letters + string.digits, k=60_000))
    with (tmp_path / "app.log").open("a") as log:
        log.write(f"{tag} {long}\n{tag} last\n")
    place = ["--config", str(config), "--data", str(tmp_path / "data")]
    asyncio.run(limit_messages(kafka, 20_000))
    try:
        done = subprocess.run(command(*place, "--once", "--json"), capture_output=True, check=True)
        refused = subprocess.run(deadletters("replay", "--all", *place), check=False, capture_output=True, text=True)
    finally:
        asyncio.run(limit_messages(kafka, INGESTION.max_message_bytes))
    assert json.loads(done.stdout)["dead_letters"] == 1
    assert (refused.returncode, refused.stdout) == (1, "0 sent once more, 1 kept\n")
    assert "the bus refuses it again: MessageSizeTooLarge" in refused.stderr
    ledger = ledger_of(tmp_path)
    assert (ledger["adds_up"], ledger["total"]["dead_letters"]) == (True, {"refused_by_bus": 1})
    assert (ledger["total"]["read"], ledger["total"]["acknowledged"]) == (5, 4)

    letters = AgentLetters(tmp_path / "data" / "agent", DeadLettersSection())
    (log_id,) = (found.kept.letter.log_id for found in letters.find())
    sent = subprocess.run(deadletters("replay", log_id, *place), check=True, capture_output=True, text=True)
    assert sent.stdout == "1 sent once more, 0 kept\n"
    assert list(letters.find()) == []
    found = asyncio.run(arrived(kafka, tag, 5))
    assert [message for message, id_, _ in found if id_ == log_id] == [f"{tag} {long}"]
    assert len({id_ for _, id_, _ in found}) == len(found) == 5


def deadletters(*words: str) -> list[str]:
    return [sys.executable, "-m", "logintel", "deadletters", *words]


def delivered(checkpoint: Path) -> int:
    """Events that the checkpoint knows to be on the bus."""
    text = checkpoint.read_text() if checkpoint.exists() else ""
    return max(map(int, re.findall(r'"count":(\d+)', text)), default=0)


def test_complaint_7_stopped_while_the_broker_takes_nothing_it_ends_and_sends_the_rest_next_time(
    tmp_path: Path, kafka: str
) -> None:
    """aio-libs/aiokafka #1101, rsyslog #4111: a stop hung, or threw away what was on its way."""
    lines = 60_000
    config = written(tmp_path, kafka, lines)
    asyncio.run(stopped_in_mid_flow(config, kafka))
    words = command("--config", str(config), "--data", str(tmp_path / "data"), "--once", "--json")
    last = subprocess.run(words, capture_output=True, check=True)
    assert json.loads(last.stdout)["events_sent"] > 0, "it was not stopped in mid-flow"
    tag = (tmp_path / "tag").read_text()
    found = asyncio.run(arrived(kafka, tag, lines))
    assert {message for message, _, _ in found} == {f"{tag} request {n}" for n in range(lines)}
    assert len(set(found)) == lines  # one id and one partition a message


async def stopped_in_mid_flow(config: Path, kafka: str) -> None:
    """Run the agent behind a proxy that takes nothing any more when it is told to stop."""
    directly = config.read_text()
    async with proxied(kafka) as proxy:
        config.write_text(directly.replace(kafka, proxy.address))
        proxy.rate = 1_000_000
        words = command("--config", str(config), "--data", str(config.parent / "data"))
        running = await asyncio.create_subprocess_exec(*words, stderr=subprocess.DEVNULL)
        await until(lambda: proxy.produced > 100_000)
        proxy.stall()
        running.terminate()
        async with asyncio.timeout(40):
            assert await running.wait() == 0
    config.write_text(directly)


def test_a_signal_ends_it_in_time_while_the_broker_is_away(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("one\n")
    source = {"name": "shop", "type": "application", "paths": [str(tmp_path / "app.log")]}
    path = tmp_path / "agent.yaml"
    path.write_text(json.dumps({"bus": {"kafka": {"bootstrap_servers": ["127.0.0.1:9"]}}, "sources": [source]}))
    running = subprocess.Popen(command("--config", str(path), "--data", str(tmp_path / "data")), stderr=subprocess.PIPE)
    assert running.stderr is not None
    log = b""
    while b"bus_away" not in log:
        line = running.stderr.readline()
        assert line, log
        log += line
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_without_a_bus_it_says_which_key_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("sources: []\n")
    done = subprocess.run(
        command("--config", str(path), "--data", str(tmp_path / "data")), check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "bus.kafka" in done.stderr
    assert "Traceback" not in done.stderr
