"""The agent's part of the configuration: its own section and the sources, each by its source type's own model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from logintel.config.document import Document, Key
from logintel.config.plugin_choice import PluginChoice
from logintel.config.problem import Problem
from logintel.config.process import RedactionConfig
from logintel.config.section import DataPath, Section, defaults
from logintel.config.shared import SharedConfig
from logintel.event import Json
from logintel.source import SourceConfig
from logintel_agent.dead_letters import DeadLettersSection

#: Workers that `auto` makes at most: each has its own connections to the brokers.
_AUTO: Final = 16
_BY_TYPE: Final = PluginChoice("source", "a source: keys and values, at least name and type")


class AgentSection(Section):
    """Keys of the agent itself."""

    data_dir: Annotated[
        DataPath, Field(description="Directory of checkpoints and dead letters, relative to the data directory.")
    ] = Path("agent")
    workers: Annotated[
        Annotated[int, Field(ge=1, le=64)] | Literal["auto"],
        Field(
            description="Processes that share the streams; auto: one for each CPU, at most 16. `logintel run` is one."
        ),
    ] = 1
    redaction: Annotated[
        RedactionConfig, Field(default_factory=defaults, description="What is redacted of all sources.")
    ]
    dead_letters: Annotated[
        DeadLettersSection, Field(default_factory=defaults, description="What could not go on, kept on this host.")
    ]

    def worker_count(self) -> int:
        """How many worker processes; `auto` counts the CPUs that this process may use."""
        return min(len(os.sched_getaffinity(0)), _AUTO) if self.workers == "auto" else self.workers


class AgentConfig(SharedConfig):
    """Top-level keys that the agent reads."""

    agent: Annotated[AgentSection, Field(default_factory=defaults, description="The agent itself.")]
    sources: Annotated[
        tuple[
            Annotated[SourceConfig, PluginChoice("source", "a source: keys and values, at least name and type")], ...
        ],
        Field(description="What to read; lists of sources.d/*.yaml are added."),
    ] = ()

    @classmethod
    def problems(cls, document: Document) -> Iterator[Problem]:
        """What two sources cannot share: a name (their events would be taken for one another), an address, a pipe."""
        yield from super().problems(document)
        sources = document.value.get("sources")
        first: dict[str, Key] = {}
        for index, source in enumerate(sources if isinstance(sources, list) else []):
            for key, what, remedy in _claims(source if isinstance(source, dict) else {}):
                claimed: Key = ("sources", index, *key)
                if what in first:
                    place = document.place(first[what])
                    message = f"{what} is taken by the source at {place.file}:{place.line}: {remedy}"
                    yield document.problem(claimed, message)
                first.setdefault(what, claimed)
        if "the standard input" in first and _workers(document) != 1:
            message = "one process alone can read the standard input: leave out agent.workers"
            yield document.problem(first["the standard input"], message)

    def topics(self) -> list[str]:
        """See SharedConfig. Who has sources sends to one topic, and its user need not see the others."""
        from logintel.bus.topics import INGESTION  # noqa: PLC0415 - only who tries Kafka needs its client

        return [INGESTION.name] if self.sources else super().topics()

    def plan(self) -> list[str]:
        """The sources that would be read."""
        lines = [f"source {source.name}: {source.type}" for source in self.sources]
        if not lines and not (self.bus.kafka and "sources" not in self.model_fields_set):  # else it is a collector's
            lines = ["no sources"]
        return [*super().plan(), *lines]


def _workers(document: Document) -> Json:
    section = document.value.get("agent")
    return section.get("workers", 1) if isinstance(section, dict) else 1


def _claims(source: dict[str, Json]) -> Iterator[tuple[Key, str, str]]:
    """What a source has that no other may have: where it is written, what it is, and what to do when it is taken."""
    if isinstance(name := source.get("name"), str):
        yield ("name",), f"the name {name!r}", "give another"
    if source.get("stdin") is True:
        yield ("stdin",), "the standard input", "one source alone can read it"
    listen = source.get("listen")
    for place, address in enumerate(listen if isinstance(listen, list) else []):
        yield ("listen", place), f"the address {address}", "choose another"
