"""The indices: their names, and the templates from which Elasticsearch makes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from logintel_collector.config import ElasticsearchConfig
from logintel_collector.query import PRODUCT_MAPPING
from logintel_collector.stores.elasticsearch import ElasticsearchClient, ElasticsearchError
from logintel_collector.stores.elasticsearch_fields import NAME_LENGTH

LOGS: Final = "engineering_logs"
ALERTS: Final = "engineering_alerts"
ANALYTICS: Final = "engineering_analytics"
#: Index of events whose date is outside the accepted range.
OUTLIERS: Final = "outliers"

_KEYWORD: Final = {"type": "keyword"}
_DATE: Final = {"type": "date"}
#: Beyond so many fields an index takes no document that brings a new one: one of the logs is mended then.
_SETTINGS: Final = {"mapping": {"total_fields": {"limit": 1000}, "field_name_length": {"limit": NAME_LENGTH}}}
#: What is ours alone is never mended: there, what does not fit is kept, not indexed.
_LENIENT: Final = {
    "mapping": {**_SETTINGS["mapping"], "total_fields": {"limit": 1000, "ignore_dynamic_beyond_limit": True}}
}
_DYNAMIC: Final = {
    "dynamic": "false",
    "date_detection": False,
    "dynamic_templates": [
        {"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 8191}}},
        *(
            {kind: {"match_mapping_type": kind, "mapping": {"type": kind, "ignore_malformed": True}}}
            for kind in ("long", "double", "boolean")
        ),
    ],
}
_ALERTS_MAPPING: Final = {
    **_DYNAMIC,
    "properties": {
        "alert_id": _KEYWORD,
        "title": {"type": "text", "fields": {"keyword": _KEYWORD}},
        "description": {"type": "text"},
        "severity": _KEYWORD,
        "status": _KEYWORD,
        "source_id": _KEYWORD,
        "log_entry_id": _KEYWORD,
        "rule_id": _KEYWORD,
        "triggered_at": _DATE,
        "acknowledged_at": _DATE,
        "resolved_at": _DATE,
        "acknowledged_by": _KEYWORD,
        "resolved_by": _KEYWORD,
        "escalation_level": {"type": "integer"},
        "metadata": {"type": "object", "dynamic": "true"},
    },
}
_ANALYTICS_MAPPING: Final = {
    **_DYNAMIC,
    "properties": {
        "metric_name": _KEYWORD,
        "metric_type": _KEYWORD,
        "timestamp": _DATE,
        "value": {"type": "float"},
        "dimensions": {
            "type": "object",
            "properties": dict.fromkeys(("source_id", "level", "category", "host", "service"), _KEYWORD),
        },
        "aggregation_period": _KEYWORD,
    },
}


def index_of(prefix: str, day: str) -> str:
    """The index of the events of a day, `YYYY.MM.DD`, or of OUTLIERS."""
    return f"{prefix}{LOGS}-{day}"


def monthly_index(prefix: str, kind: str, moment: str) -> str:
    """The index of the alerts (ALERTS) or metrics (ANALYTICS) of a month; `moment` as `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    return f"{prefix}{kind}-{moment[:4]}.{moment[5:7]}"


def creating(prefix: str, day: str) -> bytes:
    """How the action line of a bulk request that creates an event's document begins: its id, `"}}` are to follow."""
    return b'{"create":{"_index":"%s","_id":"' % index_of(prefix, day).encode()


def metric_index(prefix: str, month: str) -> str:
    """The index of the metrics of a month, `YYYY.MM`: old ones can be dropped whole."""
    return f"{prefix}{ANALYTICS}-{month}"


def templates(prefix: str, shards: int, replicas: int) -> dict[str, dict[str, Any]]:
    """Name → composable index template. One of the name's own is above Elasticsearch's built-in ones (100)."""
    number = {"number_of_shards": shards, "number_of_replicas": replicas}
    logs = PRODUCT_MAPPING["settings"]
    parts = (
        (LOGS, "-*", {**logs, "index": {**logs["index"], **_SETTINGS, **number}}, PRODUCT_MAPPING["mappings"]),
        (ALERTS, "*", {"index": {**_LENIENT, **number}}, _ALERTS_MAPPING),
        (ANALYTICS, "-*", {"index": {**_LENIENT, **number}}, _ANALYTICS_MAPPING),
    )
    return {
        f"{prefix}{name}": {
            "index_patterns": [f"{prefix}{name}{rest}"],
            "priority": 500,
            "_meta": {"managed_by": "logintel", "version": version("logintel")},
            "template": {"settings": settings, "mappings": mappings},
        }
        for name, rest, settings, mappings in parts
    }


async def set_up(client: ElasticsearchClient, config: ElasticsearchConfig) -> list[str]:
    """Put the templates that are missing or differ; the names of those put. Indices that are there stay as they are.

    Those of a later version stay too. Raises ElasticsearchError.
    """
    nodes = (await client.ask("GET", "/_cluster/health"))["number_of_data_nodes"]
    shards, replicas = (1, 0) if nodes == 1 else (3, 1)
    shards = shards if config.shards is None else config.shards
    replicas = replicas if config.replicas is None else config.replicas
    put = []
    for name, wanted in templates(config.prefix, shards, replicas).items():
        found = await _found(client, name)
        if _version(found) <= _version(wanted) and _canonical(found) != _canonical(wanted):
            await client.ask("PUT", f"/_index_template/{name}", wanted)
            put.append(name)
    return put


async def upgrade(client: ElasticsearchClient, config: ElasticsearchConfig) -> list[str]:
    """Put the templates that an earlier version has put or did not know; the names of those put.

    They keep the number of shards and replicas that they have: a node that is away just now must not lower it. Raises
    ElasticsearchError.
    """
    number = (await _found(client, f"{config.prefix}{LOGS}"))["template"]["settings"]["index"]
    shards, replicas = int(number["number_of_shards"]), int(number["number_of_replicas"])
    put = []
    for name, wanted in templates(config.prefix, shards, replicas).items():
        if _version(await _found(client, name)) < _version(wanted):
            await client.ask("PUT", f"/_index_template/{name}", wanted)
            put.append(name)
    return put


async def is_set_up(client: ElasticsearchClient, name: str = LOGS) -> bool:
    """Whether there is a template of LOGS, ALERTS or ANALYTICS; without one, Elasticsearch would guess.

    Raises ElasticsearchError.
    """
    return bool(await _found(client, f"{client.prefix}{name}"))


async def _found(client: ElasticsearchClient, name: str) -> dict[str, Any]:
    try:
        answer = await client.ask("GET", f"/_index_template/{name}")
    except ElasticsearchError as error:
        if error.status != 404:
            raise
        return {}
    found: dict[str, Any] = answer["index_templates"][0]["index_template"]
    return found


def _version(template: Mapping[str, Any]) -> tuple[int, ...]:
    """Of the logintel that has put it; () where there is none, or from one before there were versions."""
    return tuple(map(int, re.findall(r"[0-9]+", template.get("_meta", {}).get("version", ""))))


def _canonical(template: Mapping[str, Any]) -> dict[str, Any]:
    """A template as it can be compared: Elasticsearch gives settings back as texts below `index`."""
    inner = template.get("template", {})
    settings = _flat("", inner.get("settings", {}))
    return {
        **{name: template.get(name) for name in ("index_patterns", "priority", "_meta")},
        "mappings": inner.get("mappings"),
        "settings": {name.removeprefix("index."): value for name, value in settings.items()},
    }


def _flat(path: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {
            k: v for name, part in value.items() for k, v in _flat(f"{path}.{name}" if path else name, part).items()
        }
    return {path: value if isinstance(value, list) else str(value).lower()}
