"""The configuration of `logintel run`: the keys of both ends in one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from logintel.config.document import Document
from logintel.config.problem import Problem
from logintel_agent.config import AgentConfig
from logintel_collector.config import CollectorConfig

#: What a run without servers would leave alone; better it says so.
_SERVERS: Final = (("bus", "kafka"), ("stores", "elasticsearch"), ("stores", "postgres"))


class EmbeddedConfig(AgentConfig, CollectorConfig):
    """Top-level keys of a run in one process."""

    @classmethod
    def problems(cls, document: Document) -> Iterator[Problem]:
        """Servers and a monitor: `logintel run` has none."""
        yield from super().problems(document)
        for key in _SERVERS:
            if key in document.places:
                ends = "`logintel agent run` and `logintel collector run`"
                yield document.problem(key, f"`logintel run` uses no server: remove it, or start {ends} instead")
        if ("monitor",) in document.places:
            message = (
                "`logintel run` serves no health and no metrics: remove it; `logintel agent run` and `collector run` do"
            )
            yield document.problem(("monitor",), message)
