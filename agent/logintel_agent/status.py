"""Status: what an agent does, as JSON, with a verdict from progress: a process that is only alive is not healthy."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from logintel_agent import backlog
from logintel_agent.checkpoint import Checkpoint
from logintel_agent.source_run import SourceRun

#: Seconds that something may wait without anything being acknowledged.
STALLED_AFTER: Final = 60.0
#: Streams that are shown at most.
STREAMS: Final = 10_000

#: As JSON.
Status = dict[str, Any]


def of_agent(
    runs: Iterable[SourceRun], counts: Mapping[str, int], checkpoint: Checkpoint | None, facts: Status, worker: int
) -> Status:
    """What one worker does: its sources, with `checkpoint` its streams too. `counts`: streams by the name of a way.

    `facts` are added to it: "bus": {"trouble": what keeps events from it, in words, or None}, and counts.
    """
    status: Status = {"bus": {"trouble": None}, **facts, "sources": [_source(run, counts) for run in runs]}
    if checkpoint is not None:
        status["streams"] = list(islice(_streams(checkpoint, worker), STREAMS))
    return status


def joined(parts: Sequence[Status]) -> Status:
    """What several workers do together."""
    troubles = [part["bus"]["trouble"] for part in parts if part["bus"]["trouble"]]
    counts = Counter[str]()
    for part in parts:
        counts.update({name: value for name, value in part.items() if isinstance(value, int)})
    by_name: dict[str, Status] = {}
    for source in (source for part in parts for source in part["sources"]):
        known = by_name.get(source["name"])
        by_name[source["name"]] = source if known is None else _added(known, source)
    status: Status = {
        "bus": {"trouble": troubles[0] if troubles else None},
        **counts,
        "sources": list(by_name.values()),
    }
    if any("streams" in part for part in parts):
        status["streams"] = [stream for part in parts for stream in part.get("streams", ())][:STREAMS]
    return status


def health(status: Status, further: Iterable[str] = ()) -> Status:
    """The verdict: ok, degraded or stalled, and the reasons for it. `further`: reasons that the sources do not know."""
    stalls, reasons = [], list(further)
    if status["bus"]["trouble"]:
        reasons.append(f"the bus takes nothing: {status['bus']['trouble']}")
    for source in status["sources"]:
        if source["state"] == "failing":
            reasons.append(f"source {source['name']} fails: {source['last_error']['text']}")
        if source["waits_for"] is not None and source["waits_for"] >= STALLED_AFTER:
            stalls.append(f"source {source['name']}: nothing was acknowledged for {source['waits_for']:.0f} s")
    return {"verdict": "stalled" if stalls else "degraded" if reasons else "ok", "reasons": stalls + reasons}


def _source(run: SourceRun, streams: Mapping[str, int]) -> Status:
    """`waits_for`: seconds for which something has waited and nothing was acknowledged; None: nothing waits."""
    reads = [delivery.last_read for delivery in run.deliveries if delivery.last_read]
    spooled = sum(way.held_bytes for way in run.ways)
    waiting = [delivery for delivery in run.deliveries if delivery.waits]
    counts = run.counts
    stamps = [delivery.last_event for delivery in run.deliveries if delivery.last_event]
    return {
        "id": run.ways[0].envelope.source_id,
        "name": run.config.name,
        "type": run.config.type,
        "state": _state(run),
        "events_read": counts.read,
        "events_sent": counts.acknowledged,
        "dropped": dict(counts.dropped),
        "waiting_events": sum(delivery.waiting_events for delivery in waiting),
        "waiting_bytes": spooled,
        "waits_for": max((round(time.monotonic() - each.moved, 3) for each in waiting), default=None),
        "last_event": max(stamps, default=None),
        "last_read": _time(max(reads)) if reads else None,
        "streams": sum(streams.get(way.name, 0) for way in run.ways),
        "dead_letters": counts.dead_letters,
        "failures": run.failures,
        "silence": run.config.silence and float(run.config.silence),
        **backlog.backlog(filter(None, (way.standing for way in run.ways)), spooled),
        "last_error": {"at": run.failure.at, "text": run.failure.text} if run.failure else None,
    }


def _state(run: SourceRun) -> str:
    """`finished`: all of it was read, in a run that ends."""
    if run.ended and run.context.once:
        return "failing" if run.failure else "finished"
    return "ended" if run.ended else "failing" if run.waiting else "running"


def _streams(checkpoint: Checkpoint, worker: int) -> Iterator[Status]:
    for (source, stream), mark in checkpoint.marks().items():
        yield {
            "source": source,
            "stream": stream,
            "id": mark.id,
            "events": mark.count,
            "last_event": mark.stamp,
            "partition": mark.partition,
            "cursor": mark.cursor,
            "worker": worker,
        }


def _added(one: Status, other: Status) -> Status:
    """One source in two workers."""
    sums = (
        "events_read", "events_sent", "waiting_events", "waiting_bytes", "streams", "dead_letters", "failures",
    )  # fmt: skip
    order = ("failing", "running", "ended", "finished")
    latest = {
        name: max((part[name] for part in (one, other) if part[name] is not None), default=None)
        for name in ("waits_for", "last_event", "last_read")
    }
    errors = [part["last_error"] for part in (one, other) if part["last_error"]]
    return {
        **one,
        **{name: one[name] + other[name] for name in sums},
        "dropped": dict(Counter(one["dropped"]) + Counter(other["dropped"])),
        **latest,
        **backlog.joined(one, other),
        "state": min(one["state"], other["state"], key=order.index),
        "last_error": max(errors, key=lambda error: str(error["at"]), default=None),
    }


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
