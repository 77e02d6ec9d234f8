"""The benchmark of the collector: CPU per event of each role, beside a bare bulk and a bare COPY; medians of rounds.

python bench/collector.py [--events 100000] [--rounds 3]

A role runs twice a round, first with nothing to do. What the second run takes longer is what its events cost: starting
a process, joining a group and opening transactions are told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import bare
import run_topics
import structlog
from measured import Cost
from servers import devstack
from spread import Spread
from trial import Installation
from workloads import WORKLOADS

from logintel.bus.kafka_consumer import Consumed
from logintel.bus.topics import PROCESSING

ROLES: Final = ("processor", "indexer", "recorder", "alerter", "notifier")
#: Part of the events that each workload has.
_SHARES: Final = {"W1": 0.6, "W2": 0.25, "W3": 0.15}
_FORM: Final = "{:<10} {:>18} {:>26} {:>14} {:>22}"


class Round(NamedTuple):
    """`idle` and `busy` by role; `bulk` and `copy` seconds of the bare loops.

    `told`: notifications, one for each channel of each alert; `wrong`: counts that are not as sent.
    """

    idle: dict[str, Cost]
    busy: dict[str, Cost]
    bulk: float
    copy: float
    told: int
    wrong: list[str]

    def cpu(self, role: str) -> float:
        """Seconds of CPU for its events."""
        return self.busy[role].cpu - self.idle[role].cpu

    def seconds(self, role: str) -> float:
        """Seconds for its events."""
        return max(self.busy[role].seconds - self.idle[role].seconds, 1e-3)


def main() -> int:
    """Run it; 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path(".bench"), help="of the devstack (default: %(default)s)")
    parser.add_argument("--events", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with (
        devstack(args.dir, ["kafka", "elasticsearch", "postgres"]) as addresses,
        tempfile.TemporaryDirectory(prefix="logintel-bench-") as scratch,
    ):
        sources, events = sources_of(Path(scratch), args.events)
        rounds = []
        for number in range(args.rounds):
            rounds.append(asyncio.run(_round(Installation(Path(scratch), addresses), sources, events)))
            _tell(number + 1, rounds[-1])
    _print(rounds, events)
    return 1 if any(one.wrong for one in rounds) else 0


def sources_of(scratch: Path, events: int) -> tuple[list[dict[str, Any]], int]:
    """Configurations of the sources, and how many events they have."""
    found, total = [], 0
    for workload in WORKLOADS:
        path, count = scratch / f"{workload.name}.log", max(1, round(events * _SHARES[workload.name]))
        size = workload.write(path, count)
        print(f"{workload.name}: {count:,} events, {size / count:.1f} bytes on average", flush=True)
        found.append({"name": workload.name, "type": "application", "paths": [str(path)]})
        total += count
    return found, total


async def _round(installation: Installation, sources: list[dict[str, Any]], events: int) -> Round:
    await run_topics.renew(installation.bus)
    async with installation.databases():
        installation.configure(sources)
        idle = {role: installation.collect(role)[0] for role in ROLES}
        installation.send()
        busy, wrong, told = {}, [], 0
        bulk = copy = 0.0
        for role in ROLES:
            busy[role], done = installation.collect(role)
            wrong += _faults(role, done, events)
            if role == "processor":
                documents = [one async for one in run_topics.records(installation.bus, PROCESSING.name, {})]
            elif role == "indexer":
                bulk = await bare.bulk(installation, documents)
            elif role == "recorder":
                copy = await bare.copy(installation, documents)
            elif role == "notifier":
                told = done["told"]
        wrong += await _miscounts(installation, documents, events)
    await run_topics.renew(installation.bus)
    return Round(idle, busy, bulk, copy, told, wrong)


def _faults(role: str, done: dict[str, int], events: int) -> list[str]:
    """What the role says that it should not."""
    if role == "notifier":
        return [f"{role}: {done}"] if done["failures"] else []
    bad = sum(done.get(name, 0) for name in ("repeats", "mended", "dead_letters", "skipped"))
    return [f"{role}: {done}"] if bad or done["done"] != events else []


async def _miscounts(installation: Installation, documents: Sequence[Consumed], events: int) -> list[str]:
    counts = {
        "documents on the bus": len(documents),
        "documents of the indexer": await installation.documents("engineering_logs-2*"),
        "documents of the bare bulk": await installation.documents(bare.INDEX),
        "rows of the recorder": await installation.rows(installation.dsn),
        "rows of the bare COPY": await installation.rows(installation.bare_dsn),
    }
    return [f"{count:,} {what}" for what, count in counts.items() if count != events]


def _tell(number: int, done: Round) -> None:
    parts = ", ".join(f"{role} {done.busy[role].cpu:.1f}" for role in ROLES)
    verdict = "; ".join(done.wrong) or "every count is right"
    print(f"round {number}: CPU s with start: {parts}; {done.told} notifications; {verdict}", flush=True)


def _print(rounds: Sequence[Round], events: int) -> None:
    print(_FORM.format("", "CPU µs per event", "events/s", "peak MiB", "start: CPU s"))
    for role in ROLES:
        print(
            _FORM.format(
                role,
                Spread.of(one.cpu(role) for one in rounds).shown(1e6 / events, 1),
                # What the notifier takes depends on alerts, not on events.
                "" if role == "notifier" else Spread.of(events / one.seconds(role) for one in rounds).shown(1, 0),
                Spread.of(one.busy[role].memory for one in rounds).shown(1 / 1024**2, 0),
                Spread.of(one.idle[role].cpu for one in rounds).shown(1, 2),
            )
        )
    total = Spread.of(sum(one.cpu(role) for role in ROLES) for one in rounds)
    print(_FORM.format("all", total.shown(1e6 / events, 1), "", "", ""))
    told = Spread.of(one.cpu("notifier") / max(one.told, 1) for one in rounds).shown(1e3, 2)
    print(f"notifier: {told} CPU ms per notification; how many there are depends on the rules")
    for role, bare_one in (("indexer", "bulk"), ("recorder", "copy")):
        seconds = [getattr(one, bare_one) for one in rounds]
        speed = Spread.of(events / one for one in seconds).shown(1, 0)
        ratio = Spread.of(bare_s / one.seconds(role) for bare_s, one in zip(seconds, rounds, strict=True)).shown(1, 2)
        print(f"bare {bare_one}: {speed} events/s; {role} at {ratio} of it")


if __name__ == "__main__":
    sys.exit(main())
