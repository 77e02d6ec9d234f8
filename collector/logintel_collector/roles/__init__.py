"""The roles of the collector: each reads a topic or a table, does one thing, and can run in a process of its own."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

RoleName: TypeAlias = Literal["processor", "indexer", "recorder", "alerter", "notifier", "analyst", "keeper"]
#: The modules of the roles that there are, in the order in which an event passes them. A module defines
#: `build(config: CollectorConfig) -> Role`, and is loaded only where the role runs.
MODULES: Final[dict[RoleName, str]] = {
    "processor": "logintel_collector.roles.processor_role",
    "indexer": "logintel_collector.roles.indexer_role",
    "recorder": "logintel_collector.roles.recorder_role",
    "alerter": "logintel_collector.roles.alerter_role",
    "notifier": "logintel_collector.roles.notifier_role",
    "analyst": "logintel_collector.roles.analyst_role",
    "keeper": "logintel_collector.roles.keeper_role",
}
#: The store, a key of `stores`, that a role cannot work without.
NEEDS: Final[dict[RoleName, str]] = {
    "indexer": "elasticsearch",
    "recorder": "postgres",
    "alerter": "postgres",
    "notifier": "postgres",
    "analyst": "elasticsearch",
}


def reader_of(installation: str) -> str:
    """The name under which the alerter keeps its offsets and its lease in the database."""
    return f"{installation}-alerter"
