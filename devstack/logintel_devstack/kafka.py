"""Kafka: one broker that is its own controller (KRaft), from the jars of its release."""

from __future__ import annotations

import base64
import secrets
import shutil
import socket
import struct
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Final

from logintel_devstack.artifacts import fetched
from logintel_devstack.java import JAVA
from logintel_devstack.ports import HOST
from logintel_devstack.process import Process, run, spawn
from logintel_devstack.server import Server

_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
log.dirs={data}
# One broker: what a cluster keeps three times is here once, in fewer partitions.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A topic that nobody made is a mistake, as on a well-kept cluster.
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
"""
_LISTENERS: Final = """\
listeners=PLAINTEXT://{host}:{client},CONTROLLER://{host}:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


class Kafka(Server):
    """No TLS, no users: for this machine alone."""

    name = "kafka"
    version = "4.1.1"
    PORTS: ClassVar[tuple[str, ...]] = ("client", "controller")

    def prepare(self) -> None:
        """Write the configuration; format the data directory, anew if an earlier try was cut short."""
        self._scratch.mkdir(exist_ok=True)
        data = self.home / "data"
        settings = _SETTINGS.format(host=HOST, data=data, **self.ports) + self.listeners()
        self._settings.touch(mode=0o600)
        self._settings.write_text(settings, "utf-8")
        if (data / "meta.properties").exists():
            return
        shutil.rmtree(data, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")
        formatting = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(self._settings)]
        if not run([*self._java("128m"), *formatting, *self.users()], self.log):
            raise self.failed("formatting its data directory")

    def listeners(self) -> str:
        """Properties that say where and how it listens."""
        return _LISTENERS.format(host=HOST, **self.ports)

    def users(self) -> list[str]:
        """Words that add users while the data directory is formatted."""
        return []

    def start(self) -> Process:
        """Start it."""
        return spawn([*self._java("512m"), "kafka.Kafka", str(self._settings)], self.log, {})

    def ready(self) -> bool:
        """Whether it says in its metadata that it serves as a broker."""
        try:
            with socket.create_connection((HOST, self.ports["client"]), timeout=5) as connection:
                return brokers_named(connection) > 0
        except OSError:
            return False

    @property
    def address(self) -> str:
        """bootstrap_servers."""
        return f"{HOST}:{self.ports['client']}"

    @property
    def _scratch(self) -> Path:
        return self.home / "tmp"

    @property
    def _settings(self) -> Path:
        return self.home / "server.properties"

    def _java(self, heap: str) -> list[str]:
        jars = fetched(f"kafka-{self.version}")
        logging = files("logintel_devstack") / "kafka-log4j2.properties"
        return [
            JAVA,
            f"-Xmx{heap}",
            f"-XX:ErrorFile={self.home}/hs_err.log",
            f"-Djava.io.tmpdir={self._scratch}",
            f"-Dlog4j2.configurationFile={logging}",
            "-cp",
            f"{jars}/*",
        ]


def brokers_named(connection: socket.socket) -> int:
    """How many brokers a Metadata request (api key 3, version 1, no topics) names.

    https://kafka.apache.org/protocol: a size, the header (key, version, correlation id, client id), the topics.
    """
    request = struct.pack(">hhih8si", 3, 1, 1, 8, b"devstack", 0)
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as stream:
        answer = stream.read(12)
    return int(struct.unpack(">iii", answer)[2]) if len(answer) == 12 else 0
