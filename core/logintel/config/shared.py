"""Keys that the agent and the collector share: the installation and the bus between them."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from logintel.config.document import Document
from logintel.config.problem import Problem
from logintel.config.section import ConfigPath, DataPath, Section, defaults
from logintel.size import Size


class LocalBusConfig(Section):
    """The bus as a segment log on disk: agent and collector are one process."""

    dir: Annotated[DataPath, Field(description="Directory of the segments, relative to the data directory.")] = Path(
        "bus"
    )
    max_bytes: Annotated[Size, Field(description="Room for what is not stored yet; when full, reading waits.")] = Size(
        "1GiB"
    )


class KafkaBusConfig(Section):
    """The bus as a Kafka cluster: agents and collectors on any number of machines."""

    bootstrap_servers: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[^\s,]+:\d{1,5}$")], ...],
        Field(min_length=1, description="Brokers to ask first, each as host:port."),
    ]
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], Field(description="How to talk to the brokers.")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Field(description="How to log in, with SASL.")
    ] = "SCRAM-SHA-512"
    sasl_username: Annotated[str | None, Field(description="User to log in as.")] = None
    sasl_password: Annotated[SecretStr | None, Field(description="Its password; best written as ${file:PATH}.")] = None
    ssl_cafile: Annotated[ConfigPath | None, Field(description="Authorities to trust (PEM); the system's without.")] = (
        None
    )
    ssl_certfile: Annotated[ConfigPath | None, Field(description="Certificate of this client (PEM).")] = None
    ssl_keyfile: Annotated[ConfigPath | None, Field(description="Its key, if it is not in the same file.")] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password")
        return self


class BusConfig(Section):
    """What carries events from agent to collector."""

    local: Annotated[LocalBusConfig, Field(default_factory=defaults, description="A segment log on disk.")]
    kafka: Annotated[KafkaBusConfig | None, Field(description="A Kafka cluster, for agents and collectors apart.")] = (
        None
    )


class MonitorConfig(Section):
    """Where the process says how it is doing: /livez, /readyz and /metrics (Prometheus) over HTTP."""

    listen: Annotated[
        str,
        Field(
            pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\s/]+):\d{1,5}$",
            description="Address as host:port; 127.0.0.1 is this host alone. Nothing of it needs a password.",
        ),
    ]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class SharedConfig(Section):
    """Base of the agent's and the collector's top-level keys."""

    installation: Annotated[
        str,
        Field(
            description="Name that ids of sources and rules are made with; never change it.", pattern=r"^[\w.-]{1,100}$"
        ),
    ] = "logintel"
    bus: Annotated[BusConfig, Field(default_factory=defaults, description="What carries events.")]
    monitor: Annotated[
        MonitorConfig | None, Field(description="Where the process says how it is doing; nowhere without.")
    ] = None

    @classmethod
    def problems(cls, document: Document) -> Iterator[Problem]:  # noqa: ARG003 - for subclasses
        """What is wrong between the keys of a document, as it was written; no model sees it."""
        yield from ()

    def further_problems(self) -> list[Problem]:
        """What is wrong with further files that the configuration names, for `config check`."""
        return []

    def plan(self) -> list[str]:
        """Lines that say what would run, for `config check`."""
        return [f"bus Kafka at {', '.join(self.bus.kafka.bootstrap_servers)}"] if self.bus.kafka else []

    def servers(self) -> list[Coroutine[Any, Any, str]]:
        """Tries of the servers that the configuration names: each says what is there, or raises Refused."""
        if self.bus.kafka is None:
            return []
        from logintel.bus.kafka_check import try_cluster  # noqa: PLC0415 - only who tries Kafka needs its client

        return [try_cluster(self.bus.kafka, self.topics())]

    def topics(self) -> list[str]:
        """Topics that must be there, and be seen."""
        from logintel.bus.topics import ALL  # noqa: PLC0415 - likewise

        return [topic.name for topic in ALL]
