"""Metrics of the collector: what its roles count, as Prometheus wants it (docs/metrics.md is their specification)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from logintel_collector.roles.role import Role


def metrics(roles: Sequence[Role]) -> Iterator[Metric]:
    """By role; asked for at each scrape."""
    done = CounterMetricFamily("logintel_role_records", "Records (or rows) that a role is done with.", labels=["role"])
    lag = GaugeMetricFamily("logintel_role_lag_records", "Records that waited when it last looked.", labels=["role"])
    trouble = GaugeMetricFamily("logintel_role_trouble", "1 while something keeps it from working.", labels=["role"])
    failures = CounterMetricFamily("logintel_role_failures", "Starts that ended in an error.", labels=["role"])
    outcomes = CounterMetricFamily(
        "logintel_role_outcomes", "What became of records, by what was counted.", labels=["role", "outcome"]
    )
    gaps = CounterMetricFamily(
        "logintel_bus_gaps", "How often records were gone from the bus before they were read.", labels=["role"]
    )
    gone = CounterMetricFamily("logintel_bus_gap_records", "How many they were, as far as known.", labels=["role"])
    for role in roles:
        progress = role.progress
        done.add_metric([role.name], progress.done)
        if progress.lag is not None:
            lag.add_metric([role.name], progress.lag)
        trouble.add_metric([role.name], float(progress.trouble is not None))
        failures.add_metric([role.name], progress.tries)
        gaps.add_metric([role.name], progress.gaps)
        gone.add_metric([role.name], progress.gap_records)
        for outcome, count in role.summary().items():
            if outcome != "done":
                outcomes.add_metric([role.name, outcome], count)
    yield from (done, lag, trouble, failures, gaps, gone, outcomes)
    for gauge in (gauge for role in roles for gauge in role.gauges()):
        family = GaugeMetricFamily(gauge.name, gauge.help, labels=[gauge.label])
        for label, value in gauge.values.items():
            family.add_metric([label], value)
        yield family
