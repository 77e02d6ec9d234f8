"""Metrics of the agent: its status, as Prometheus wants it (docs/metrics.md is their specification)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from logintel_agent.status import Status


def metrics(status: Status | None) -> Iterator[Metric]:
    """By source, never by file; nothing before the first status."""
    if status is None:
        return
    yield GaugeMetricFamily(
        "logintel_bus_trouble",
        "1 while something keeps events from the bus.",
        float(status["bus"]["trouble"] is not None),
    )
    yield CounterMetricFamily("logintel_dead_letters", "Events kept as dead letters.", status.get("dead_letters", 0))
    restarts = CounterMetricFamily("logintel_worker_restarts", "Starts of a worker that had died.", labels=["worker"])
    for worker in status.get("workers", ()):
        restarts.add_metric([str(worker["number"])], worker["restarts"])
    yield restarts
    yield from _of_sources(status)


def _of_sources(status: Status) -> Iterator[Metric]:
    read = CounterMetricFamily("logintel_source_events_read", "Events read or received.", labels=["source"])
    sent = CounterMetricFamily("logintel_source_events_sent", "Events that the bus has.", labels=["source"])
    dropped = CounterMetricFamily(
        "logintel_source_events_dropped", "Events not sent, by reason.", labels=["source", "reason"]
    )
    waiting = GaugeMetricFamily("logintel_source_waiting_events", "Events on their way.", labels=["source"])
    spooled = GaugeMetricFamily("logintel_source_waiting_bytes", "Bytes in its spool.", labels=["source"])
    failing = GaugeMetricFamily("logintel_source_failing", "1 while it fails and is tried again.", labels=["source"])
    last = GaugeMetricFamily(
        "logintel_source_last_event_timestamp_seconds", "Time of the last event that was sent.", labels=["source"]
    )
    for source in status["sources"]:
        name = [source["name"]]
        read.add_metric(name, source["events_read"])
        sent.add_metric(name, source["events_sent"])
        waiting.add_metric(name, source["waiting_events"])
        spooled.add_metric(name, source["waiting_bytes"])
        failing.add_metric(name, float(source["state"] == "failing"))
        if source["last_event"]:
            last.add_metric(name, datetime.fromisoformat(source["last_event"]).timestamp())
        for reason, count in source["dropped"].items():
            dropped.add_metric([*name, reason], count)
    yield from (read, sent, dropped, waiting, spooled, failing, last)
