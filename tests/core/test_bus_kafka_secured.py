"""The Kafka bus on a secured cluster: every way to log in works, what is wrong is said, rights are waited for, and
nothing says a password."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest
from bus_flow import told
from bus_topic import records, refuse_none, until

from logintel.bus.kafka_check import try_cluster
from logintel.bus.kafka_connection import client_arguments
from logintel.bus.kafka_producer import KafkaProducer
from logintel.bus.topics import INGESTION
from logintel.config.shared import KafkaBusConfig
from logintel.identity import seq_of
from logintel.refused import Refused
from logintel_devstack.kafka_secured import KafkaSecured
from logintel_devstack.stack import Stack

STREAM = b"s" * 16
#: https://kafka.apache.org/protocol and KIP-140: a topic, by its literal name, write, allow.
TOPIC, LITERAL, WRITE, ALLOW = 2, 3, 4, 3
WRONG = "not-the-password"


@pytest.fixture(scope="session")
def secured(devstack: Stack) -> KafkaSecured:
    devstack.up(["kafka-secured"])
    server = devstack.status()["kafka-secured"]
    assert isinstance(server, KafkaSecured)
    return server


def config(server: KafkaSecured, port: str, **keys: Any) -> KafkaBusConfig:
    place = f"{keys.pop('host', '127.0.0.1')}:{server.ports[port]}"
    return KafkaBusConfig.model_validate({"bootstrap_servers": [place], **keys})


def login(server: KafkaSecured, **keys: Any) -> KafkaBusConfig:
    """By name and password over TLS, where `keys` do not say otherwise."""
    usual = {
        "port": "client",
        "security_protocol": "SASL_SSL",
        "sasl_username": "admin",
        "sasl_password": server.password,
        "ssl_cafile": str(server.home / "ca.pem"),
    }
    return config(server, **(usual | keys))


def certified(server: KafkaSecured) -> KafkaBusConfig:
    """By a certificate, CN=agent."""
    files = {"ssl_cafile": str(server.home / "ca.pem"), "ssl_certfile": str(server.home / "agent.pem")}
    return config(server, "certificate", security_protocol="SSL", **files)


@asynccontextmanager
async def administered(server: KafkaSecured) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_arguments(login(server)))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def made(admin: AIOKafkaAdminClient) -> str:
    name = f"test-{secrets.token_hex(6)}"
    await admin.create_topics([NewTopic(name, 1, 1)])
    return name


async def grant(admin: AIOKafkaAdminClient, user: str, name: str, *, write: bool = True) -> None:
    """Let the user write to the topic, or no longer."""
    request = CreateAclsRequest if write else DeleteAclsRequest
    await admin._send_to_controller(request(TOPIC, name, LITERAL, f"User:{user}", "*", WRITE, ALLOW))


async def seqs(server: KafkaSecured, name: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(**client_arguments(login(server)), group_id=None, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(name, 0)])
    await consumer.start()
    found: dict[bytes, None] = {}
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                found[dict((await consumer.getone()).headers)["seq"]] = None
    finally:
        await consumer.stop()
    return list(found)


@pytest.mark.parametrize(
    "keys",
    [
        {"sasl_mechanism": "PLAIN"},
        {"sasl_mechanism": "SCRAM-SHA-256"},
        {"sasl_mechanism": "SCRAM-SHA-512"},
        {"port": "clear", "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512"},
    ],
)
def test_every_login_sends(secured: KafkaSecured, keys: dict[str, str]) -> None:
    async def run() -> None:
        async with administered(secured) as admin:
            name = await made(admin)
        producer = KafkaProducer(login(secured, **keys), refuse_none, name)
        await (await producer.send(records(STREAM, 0, 3), 0))
        await producer.close()
        assert await seqs(secured, name, 3) == [seq_of(place) for place in range(3)]
        assert "1 brokers, all topics" in await try_cluster(login(secured, **keys), [name])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"sasl_password": WRONG}, "does not let user admin (SCRAM-SHA-512) in: check sasl_username, sasl_password"),
        ({"sasl_password": WRONG, "sasl_mechanism": "PLAIN"}, "does not let user admin (PLAIN) in"),
        ({"sasl_username": "nobody"}, "does not let user nobody (SCRAM-SHA-512) in"),
        ({"ssl_cafile": None}, "has a certificate that is not trusted (unable to get local issuer certificate)"),
        ({"host": "localhost"}, "Hostname mismatch, certificate is not valid for 'localhost'"),
        (
            {"port": "certificate"},
            "ends TLS (TLSV13_ALERT_CERTIFICATE_REQUIRED): check security_protocol, ssl_certfile",
        ),
        ({"security_protocol": "PLAINTEXT"}, "or is security_protocol PLAINTEXT not what it listens for?"),
        ({"security_protocol": "SSL"}, "or is security_protocol SSL not what it listens for?"),
        ({"port": "clear"}, "or is security_protocol SASL_SSL not what it listens for?"),
    ],
)
def test_what_is_wrong_is_said_and_no_password(
    secured: KafkaSecured, keys: dict[str, str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        wrong = login(secured, **keys)
        producer = KafkaProducer(wrong, refuse_none, "any")
        placing = asyncio.ensure_future(producer.place(STREAM))
        await until(lambda: producer.trouble is not None)
        placing.cancel()
        await asyncio.wait({placing})
        await producer.close()
        assert words in str(producer.trouble)
        with pytest.raises(Refused) as refused:
            await try_cluster(wrong, ["any"])
        assert words in str(refused.value)

    asyncio.run(run())
    said = capfd.readouterr()
    assert words in said.out
    assert WRONG not in said.out + said.err
    assert secured.password not in said.out + said.err


def test_rights_are_waited_for_and_what_waits_is_sent_when_they_come(secured: KafkaSecured) -> None:
    """Complaint 6 (Vector #25746): a right that was taken away lost what was sent meanwhile."""

    async def run(agent: KafkaBusConfig, user: str, who: str) -> None:
        async with administered(secured) as admin:
            name, other = await made(admin), await made(admin)
            producer = KafkaProducer(agent, refuse_none, name)
            sending = [asyncio.ensure_future(producer.send(records(STREAM, 0, 3), 0))]
            await told(producer, f"Kafka does not let {who} write: grant Write on topic {name}")
            await grant(admin, user, other)
            await told(producer, f"topic {name} is missing or {who} may not see it", "grant Write on it")
            await grant(admin, user, name)
            await (await sending[0])
            assert producer.trouble is None
            await grant(admin, user, name, write=False)
            answer = await producer.send(records(STREAM, 3, 3), 0)
            await told(producer, f"Kafka does not let {who} write to topic {name}: grant Write")
            await grant(admin, user, name)
            await answer
            assert producer.trouble is None
            await producer.close()
            await grant(admin, user, other, write=False)
            assert await seqs(secured, name, 6) == [seq_of(place) for place in range(6)]

    asyncio.run(run(login(secured, sasl_username="agent"), "agent", "user agent (SCRAM-SHA-512)"))
    asyncio.run(run(certified(secured), "CN=agent", "the client's certificate"))


def test_the_agent_logs_in_with_a_password_from_a_file(secured: KafkaSecured, tmp_path: Path) -> None:
    async def prepare(name: str, *, write: bool) -> None:
        async with administered(secured) as admin:
            await admin.create_topics([NewTopic(name, 1, 1)])
            await grant(admin, "agent", name, write=write)

    keys = login(secured, sasl_username="agent").model_dump(mode="json", exclude_none=True)
    kafka = keys | {"sasl_password": f"${{file:{tmp_path}/password}}"}
    (tmp_path / "app.log").write_text("one\ntwo\n")
    source = {"name": "shop", "type": "application", "paths": [str(tmp_path / "app.log")], "format": "plain"}
    (tmp_path / "agent.yaml").write_text(json.dumps({"bus": {"kafka": kafka}, "sources": [source]}))
    (tmp_path / "password").write_text(WRONG)

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "logintel", *words], check=False, capture_output=True, text=True, cwd=tmp_path
        )

    refused = command("config", "check", "--connect", "agent.yaml")
    assert refused.returncode == 1
    assert "does not let user agent (SCRAM-SHA-512) in: check sasl_username" in refused.stderr
    (tmp_path / "password").write_text(secured.password)
    unseen = command("config", "check", "--connect", "agent.yaml")
    assert "has no topic log-ingestion that this user may see" in unseen.stderr
    asyncio.run(prepare(INGESTION.name, write=True))
    well = command("config", "check", "--connect", "agent.yaml")
    assert "1 brokers, all topics" in well.stdout, well.stderr
    sent = command("agent", "run", "--config", "agent.yaml", "--data", "data", "--once", "--json")
    assert json.loads(sent.stdout)["events_sent"] == 2
    said = "".join(done.stdout + done.stderr for done in (refused, unseen, well, sent))
    assert WRONG not in said
    assert secured.password not in said
