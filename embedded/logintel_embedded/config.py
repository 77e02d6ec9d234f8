"""The configuration of `logintel run`: the keys of both ends in one file."""

from __future__ import annotations

from logintel_agent.config import AgentConfig
from logintel_collector.config import CollectorConfig


class EmbeddedConfig(AgentConfig, CollectorConfig):
    """Top-level keys of a run in one process."""
