"""The collector's part of the configuration: where it stores, which rules it runs and whom it tells."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field

from logintel.config.problem import Problem
from logintel.config.section import ConfigPath, DataPath, Section, defaults
from logintel.config.shared import SharedConfig
from logintel.size import Size
from logintel_collector.notifier.config import NotifyConfig


class SqliteConfig(Section):
    """The embedded store: one file."""

    path: Annotated[DataPath, Field(description="The file, relative to the data directory.")] = Path("logintel.sqlite")


class RetentionConfig(Section):
    """How much is kept; the oldest goes first, by whichever bound is met first."""

    days: Annotated[int, Field(description="Age in days, counted from an event's arrival.", ge=1)] = 30
    bytes: Annotated[Size, Field(description="Room for all events.")] = Size("5GiB")


class StoresConfig(Section):
    """Where events, alerts and their history are kept."""

    sqlite: Annotated[SqliteConfig, Field(default_factory=defaults, description="One SQLite file.")]
    retention: Annotated[RetentionConfig, Field(default_factory=defaults, description="How much is kept.")]


class CollectorConfig(SharedConfig):
    """Top-level keys that the collector reads."""

    stores: Annotated[StoresConfig, Field(default_factory=defaults, description="Where it is stored.")]
    rules_dir: Annotated[
        ConfigPath | None,
        Field(description="Directory of alert rules (*.yaml), relative to the file that names it; none by default."),
    ] = None

    notify: Annotated[tuple[NotifyConfig, ...], Field(description="Whom to tell of alerts.")] = ()

    def further_problems(self) -> list[Problem]:
        """What is wrong with the rules."""
        found = super().further_problems()
        if self.rules_dir is None:
            return found
        from logintel_collector.rules.loading import load_rules  # noqa: PLC0415 - only a check and a run need rules

        return found + load_rules(self.rules_dir, self.installation, lambda: datetime.now(UTC)).problems

    def plan(self) -> list[str]:
        """Where events would go, and which rules would see them."""
        return [
            *super().plan(),
            f"store {self.stores.sqlite.path}",
            f"rules of {self.rules_dir}" if self.rules_dir else "no rules",
            *(f"notify by {channel.type}" for channel in self.notify),
        ]
