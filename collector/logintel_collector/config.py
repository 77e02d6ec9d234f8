"""The collector's part of the configuration: where it stores, which rules it runs and whom it tells."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from logintel.config.plugin_choice import PluginChoice
from logintel.config.problem import Problem
from logintel.config.section import ConfigPath, DataPath, Section, defaults
from logintel.config.shared import SharedConfig
from logintel.enricher import EnricherConfig
from logintel.size import Size
from logintel_collector.notifier.config import NotifyConfig
from logintel_collector.roles import MODULES, RoleName

#: Hosts to which there is no network.
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_BY_TYPE: Final = PluginChoice("enricher", "an enricher: keys and values, at least type")


class SqliteConfig(Section):
    """The embedded store: one file."""

    path: Annotated[DataPath, Field(description="The file, relative to the data directory.")] = Path("logintel.sqlite")


class RetentionConfig(Section):
    """How much is kept; the oldest goes first, by whichever bound is met first."""

    days: Annotated[int, Field(description="Age in days, counted from an event's arrival.", ge=1)] = 30
    bytes: Annotated[
        Size,
        Field(
            description="Room for all events: in the SQLite file; in Elasticsearch for daily indices and their copies, "
            "there without bound where it is not set."
        ),
    ] = Size("5GiB")


class SnapshotsConfig(Section):
    """Copies of the indices in a repository of Elasticsearch."""

    repository: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="Its name in Elasticsearch.")
    ] = "logintel"
    location: Annotated[
        str | None,
        Field(
            description="Directory that all nodes share, below a path.repo of theirs: makes it a repository of type fs."
        ),
    ] = None
    bucket: Annotated[str | None, Field(description="S3 bucket: makes it a repository of type s3.")] = None
    base_path: Annotated[str | None, Field(description="Path in the bucket.")] = None
    daily: Annotated[bool, Field(description="Whether the keeper takes one a day.")] = False
    keep: Annotated[int, Field(description="Daily ones that are kept.", ge=1)] = 30

    @property
    def body(self) -> dict[str, Any] | None:
        """The repository as Elasticsearch is told of it; None: somebody else has told it."""
        if self.location:
            return {"type": "fs", "settings": {"location": self.location}}
        if self.bucket:
            settings = {"bucket": self.bucket, "base_path": self.base_path}
            return {"type": "s3", "settings": {name: value for name, value in settings.items() if value}}
        return None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.location and self.bucket:
            raise ValueError("a repository has a location or a bucket, not both")
        return self


class ElasticsearchConfig(Section):
    """The index that people search."""

    hosts: Annotated[
        tuple[Annotated[str, Field(pattern=r"^https?://[^\s/@]+:\d{1,5}$")], ...],
        Field(min_length=1, description="Nodes, each as https://host:port."),
    ]
    api_key: Annotated[SecretStr | None, Field(description="API key; best written as ${file:PATH}.")] = None
    username: Annotated[str | None, Field(description="User to log in as, where there is no API key.")] = None
    password: Annotated[SecretStr | None, Field(description="Its password; best written as ${file:PATH}.")] = None
    ca_certs: Annotated[ConfigPath | None, Field(description="Authorities to trust (PEM); the system's without.")] = (
        None
    )
    compress: Annotated[
        bool | None,
        Field(
            description="Compress requests: a tenth of the network for 3 microseconds of CPU an event; by default if "
            "a host is another machine."
        ),
    ] = None
    prefix: Annotated[
        str,
        Field(
            pattern=r"^([a-z0-9][a-z0-9_.-]{0,63})?$",
            description="Put before the names of indices and templates, where a cluster has more than one logintel.",
        ),
    ] = ""
    shards: Annotated[
        int | None, Field(description="Primary shards of a daily index; by the number of nodes without.", ge=1)
    ] = None
    replicas: Annotated[int | None, Field(description="Copies of each; by the number of nodes without.", ge=0)] = None
    snapshots: Annotated[SnapshotsConfig | None, Field(description="Where copies of the indices go.")] = None

    @property
    def compresses(self) -> bool:
        """Whether requests are compressed."""
        if self.compress is not None:
            return self.compress
        return not all(urlsplit(host).hostname in _THIS_MACHINE for host in self.hosts)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.api_key and self.username:
            raise ValueError("log in by api_key or by username and password, not by both")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


class PostgresConfig(Section):
    """The database of events' metadata, sources, rules and alerts."""

    dsn: Annotated[SecretStr, Field(description="postgresql://user:password@host:port/database, best as ${file:PATH}.")]
    archive_dir: Annotated[
        ConfigPath | None,
        Field(
            description="Existing directory where the keeper writes old rows of log_entries to files before it drops "
            "them; without, they are dropped alone."
        ),
    ] = None


class StoresConfig(Section):
    """Where events, alerts and their history are kept."""

    sqlite: Annotated[SqliteConfig, Field(default_factory=defaults, description="One SQLite file.")]
    elasticsearch: Annotated[ElasticsearchConfig | None, Field(description="For collectors on servers.")] = None
    postgres: Annotated[PostgresConfig | None, Field(description="For collectors on servers.")] = None
    retention: Annotated[RetentionConfig, Field(default_factory=defaults, description="How much is kept.")]


class AnalyticsConfig(Section):
    """What the analyst counts by."""

    values: Annotated[
        int,
        Field(
            description="Sources, levels, categories, hosts and services that are told apart, of each so many a day; "
            "the others are counted together as _other.",
            ge=1,
            le=1000,
        ),
    ] = 500


class CollectorConfig(SharedConfig):
    """Top-level keys that the collector reads."""

    stores: Annotated[StoresConfig, Field(default_factory=defaults, description="Where it is stored.")]
    roles: Annotated[
        tuple[RoleName, ...],
        Field(description="What `logintel collector run` does; other processes may do the rest.", min_length=1),
    ] = tuple(MODULES)
    rules_dir: Annotated[
        ConfigPath | None,
        Field(description="Directory of alert rules (*.yaml), relative to the file that names it; none by default."),
    ] = None

    analytics: Annotated[AnalyticsConfig, Field(default_factory=defaults, description="What is counted.")]
    enrich: Annotated[
        tuple[Annotated[EnricherConfig, _BY_TYPE], ...] | None,
        Field(
            description="What is added to events, in this order. Without: geoip, which then knows private "
            "addresses, and user_agent; [] adds nothing."
        ),
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
        """Where events would go, and which rules would see them; nothing where the file is an agent's alone."""
        if self.bus.kafka and not self.model_fields_set & {"stores", "roles", "rules_dir", "enrich", "notify"}:
            return super().plan()
        return [
            *super().plan(),
            *self._stores(),
            f"rules of {self.rules_dir}" if self.rules_dir else "no rules",
            *(f"enrich by {enricher.type}" for enricher in self.enrich or ()),
            *(f"notify by {channel.type}" for channel in self.notify),
        ]

    def servers(self) -> list[Coroutine[Any, Any, str]]:
        """See SharedConfig."""
        found = super().servers()
        if self.stores.elasticsearch or self.stores.postgres:
            from logintel_collector.stores import servers  # noqa: PLC0415 - only who tries them needs their clients

            if self.stores.elasticsearch:
                found.append(servers.try_elasticsearch(self.stores.elasticsearch))
            if self.stores.postgres:
                found.append(servers.try_postgres(self.stores.postgres))
        return found

    def _stores(self) -> list[str]:
        servers = []
        if self.stores.elasticsearch:
            servers.append(f"store Elasticsearch at {', '.join(self.stores.elasticsearch.hosts)}")
        if self.stores.postgres:
            servers.append("store PostgreSQL")
        return servers or [f"store {self.stores.sqlite.path}"]
