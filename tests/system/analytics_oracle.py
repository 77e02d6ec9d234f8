"""What the analyst has to find, counted in plain Python over the documents; and its points as one can compare them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any

from logintel_collector.analytics.point import DIMENSIONS, PERIODS, Period

#: (aggregation_period, start, dimension, value); metric_name → value.
Key = tuple[Period, int, str, str]
Found = dict[Key, dict[str, float]]
Document = Mapping[str, Any]
#: How long after its end a bucket is there.
CLOSE_AFTER = {"minute": 30, "hour": 300}
PERCENTILES = {"log_latency_seconds_p50": 50, "log_latency_seconds_p95": 95, "log_latency_seconds_p99": 99}


def seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def is_outlier(document: Document) -> bool:
    arrived = datetime.fromisoformat(document["created_at"])
    first, last = (arrived - timedelta(days=3653)).date(), (arrived + timedelta(days=1)).date()
    return not first <= datetime.fromisoformat(document["timestamp"]).date() <= last


def of(document: Document, dimension: str) -> str:
    if dimension in ("host", "service"):
        found = document["parsed_fields"].get(dimension) or document["metadata"].get(dimension)
    else:
        found = document[dimension]
    return found or "_none"


def counted(documents: Iterable[Document], now: datetime) -> tuple[Found, dict[Key, list[float]]]:
    """Exact metrics of all buckets that are over at `now`, and the sorted latencies (seconds) of their events."""
    groups: dict[Key, list[Document]] = defaultdict(list)
    outliers: Counter[Key] = Counter()
    for document in documents:
        strange = is_outlier(document)
        happened = seconds(document["created_at" if strange else "timestamp"])
        for period, length in PERIODS.items():
            start = floor(happened / length) * length
            if start + length + CLOSE_AFTER[period] > now.timestamp():
                continue
            if strange:
                outliers[period, start, "", ""] += 1
                continue
            for dimension in ("", *DIMENSIONS):
                groups[period, start, dimension, of(document, dimension) if dimension else ""].append(document)
    found: Found = {key: exact(key[2], members) for key, members in groups.items()}
    for key, count in outliers.items():
        found.setdefault(key, {})["log_outliers"] = count
    return found, {key: sorted(map(latency, members)) for key, members in groups.items()}


def exact(dimension: str, members: list[Document]) -> dict[str, float]:
    errors = sum(document["level"] in {"ERROR", "FATAL"} for document in members)
    found: dict[str, float] = {
        "log_events": len(members),
        "log_size_bytes": sum(len(document["raw_log"].encode()) for document in members),
    }
    if dimension != "level":
        found |= {"log_errors": errors, "log_error_ratio": errors / len(members)}
    return found


def latency(document: Document) -> float:
    return max(floor(1000 * (seconds(document["created_at"]) - seconds(document["timestamp"])) + 1e-6), 0) / 1000


def assert_right(found: Found, documents: Iterable[Document], now: datetime) -> None:
    """Counts are exact; percentiles are between the events beside their rank, as Elasticsearch estimates them."""
    expected, latencies = counted(documents, now)
    names = {"log_events", "log_size_bytes", "log_errors", "log_error_ratio", "log_outliers"}
    assert {
        key: {name: value for name, value in metrics.items() if name in names} for key, metrics in found.items()
    } == expected
    for key, sorted_latencies in latencies.items():
        metrics = found[key]
        assert metrics.keys() - names == {*PERCENTILES, "log_latency_seconds_max"}
        for name, percent in PERCENTILES.items():
            assert_near(metrics[name], sorted_latencies, percent, key)
        assert abs(metrics["log_latency_seconds_max"] - sorted_latencies[-1]) <= 0.001 + 0.016 * sorted_latencies[-1]


def assert_near(value: float, ranked: list[float], percent: int, key: Key) -> None:
    rank, slack = percent / 100 * len(ranked), 1 + len(ranked) // 50
    low = ranked[max(floor(rank) - 1 - slack, 0)]
    high = ranked[min(ceil(rank) + slack, len(ranked) - 1)]
    assert low * 0.984 - 0.002 <= value <= high * 1.016 + 0.002, (key, percent, value, ranked)
