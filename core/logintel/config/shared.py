"""Keys that the agent and the collector share: the installation and the bus between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from logintel.config.document import Document
from logintel.config.problem import Problem
from logintel.config.section import DataPath, Section, defaults
from logintel.size import Size


class LocalBusConfig(Section):
    """The bus as a segment log on disk: agent and collector are one process."""

    dir: Annotated[DataPath, Field(description="Directory of the segments, relative to the data directory.")] = Path(
        "bus"
    )
    max_bytes: Annotated[Size, Field(description="Room for what is not stored yet; when full, reading waits.")] = Size(
        "1GiB"
    )


class BusConfig(Section):
    """What carries events from agent to collector."""

    local: Annotated[LocalBusConfig, Field(default_factory=defaults, description="A segment log on disk.")]


class SharedConfig(Section):
    """Base of the agent's and the collector's top-level keys."""

    installation: Annotated[
        str,
        Field(
            description="Name that ids of sources and rules are made with; never change it.", pattern=r"^[\w.-]{1,100}$"
        ),
    ] = "logintel"
    bus: Annotated[BusConfig, Field(default_factory=defaults, description="What carries events.")]

    @classmethod
    def problems(cls, document: Document) -> Iterator[Problem]:  # noqa: ARG003 - for subclasses
        """What is wrong between the keys of a document, as it was written; no model sees it."""
        yield from ()

    def further_problems(self) -> list[Problem]:
        """What is wrong with further files that the configuration names, for `config check`."""
        return []

    def plan(self) -> list[str]:
        """Lines that say what would run, for `config check`."""
        return []
