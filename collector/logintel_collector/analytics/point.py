"""The point: what one series is in one minute or hour, and the documents of metrics that it is stored as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from logintel.identity import named_id

Period: TypeAlias = Literal["minute", "hour"]
#: Seconds of each aggregation_period.
PERIODS: Final[dict[Period, int]] = {"minute": 60, "hour": 3600}
#: What events are counted by, each alone.
DIMENSIONS: Final = ("source_id", "level", "category", "host", "service")
#: Beside them the series of all events; its documents have no dimension.
ALL: Final = ""
#: Values of a dimension: of events that have none, and of those beyond the most values that are told apart.
NONE: Final = "_none"
OTHER: Final = "_other"

#: metric_name → metric_type. A counter is what was added in the period (OpenTelemetry's delta), a gauge what it was.
METRICS: Final[dict[str, Literal["counter", "gauge"]]] = {
    "log_events": "counter",
    "log_size_bytes": "counter",
    "log_errors": "counter",
    "log_error_ratio": "gauge",
    "log_latency_seconds_p50": "gauge",
    "log_latency_seconds_p95": "gauge",
    "log_latency_seconds_p99": "gauge",
    "log_latency_seconds_max": "gauge",
    "log_outliers": "counter",
}


class Point(NamedTuple):
    """A series in a period.

    start      beginning of the period, seconds since 1970
    dimension  one of DIMENSIONS, or ALL
    value      of the dimension; "" with ALL
    metrics    metric_name → value
    """

    period: Period
    start: int
    dimension: str
    value: str
    metrics: Mapping[str, float]

    def documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, document of engineering_analytics) for each metric; the id is the same whenever it is computed again."""
        timestamp = moment(self.start)
        dimensions = {self.dimension: self.value} if self.dimension else {}
        for name, value in self.metrics.items():
            yield (
                named_id("metric", name, self.period, timestamp, self.dimension, self.value),
                {
                    "metric_name": name,
                    "metric_type": METRICS[name],
                    "timestamp": timestamp,
                    "value": value,
                    "dimensions": dimensions,
                    "aggregation_period": self.period,
                },
            )


@lru_cache(maxsize=4096)
def moment(start: int) -> str:
    """Seconds since 1970 as UTC, `YYYY-MM-DDTHH:MM:SSZ`."""
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def start_of(timestamp: str) -> int:
    """What `moment` was made of."""
    return int(datetime.fromisoformat(timestamp).timestamp())


@lru_cache(maxsize=4096)
def day_of(start: int) -> str:
    """Its day, `YYYY.MM.DD`, as in the name of an index."""
    return datetime.fromtimestamp(start, UTC).strftime("%Y.%m.%d")


def month_of(timestamp: str) -> str:
    """The month of a timestamp, `YYYY.MM`, as in the name of an index of engineering_analytics."""
    return timestamp[:7].replace("-", ".")


def runs(starts: Iterable[int], seconds: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of periods of so many seconds that follow each other without a gap; `starts` rise."""
    begin = end = -1
    for start in starts:
        if start != end:
            if end > begin:
                yield begin, end
            begin = start
        end = start + seconds
    if end > begin:
        yield begin, end
