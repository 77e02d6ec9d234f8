"""Categories: what kind of log an event is, by its format and its source type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logintel.event import Json

#: The category that a format stands for. One that carries anything (json, logfmt, text, container) says nothing.
_FORMAT_CATEGORIES: Final = {
    name: category
    for category, names in {
        "access": ("access", "elb", "haproxy", "sap-icm", "squid", "w3c"),
        "application": ("erlang", "java", "jul", "monolog", "python", "ruby", "sap-java", "sap-trace"),
        "audit": ("auditd", "hana-audit", "sap-audit"),
        "database": ("hana", "mongodb", "mysql", "mysql_slow", "postgresql", "redis"),
        "security": ("cef", "netfilter"),
        "system": ("sap-gateway", "sap-router", "syslog"),
    }.items()
    for name in names
}
#: The category that a source type stands for, where the format says nothing.
_SOURCE_CATEGORIES: Final = {"application": "application"}


def category_of(metadata: Mapping[str, Json]) -> str | None:
    """What kind of log it is: as the agent says, as the format means, as the source type means; None: unknown."""
    said = metadata.get("category")
    if isinstance(said, str) and said:
        return said
    by_format = _FORMAT_CATEGORIES.get(str(metadata.get("format")))
    return by_format or _SOURCE_CATEGORIES.get(str(metadata.get("source_type")))
