"""The collector as a whole, in one process and in two, beside bare bulk requests and COPY at the same time; medians.

python bench/whole.py [--events 100000] [--rounds 3]

Seconds are from the first row or document that is there to the last, so that starting is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import bare
import run_topics
import structlog
from servers import devstack
from spread import Spread
from trial import Installation, running

from collector import sources_of
from logintel.bus.kafka_consumer import Consumed
from logintel.bus.topics import PROCESSING

#: The processes of a collector, by the roles that each has; none named: all.
LAYOUTS: Final[dict[str, Sequence[Sequence[str]]]] = {
    "one process": [()],
    "two processes": [("processor", "indexer", "alerter"), ("recorder", "notifier", "keeper")],
}
_LOOK: Final = 0.5
_DEADLINE: Final = 1200.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Done(NamedTuple):
    """`rate` events a second; `cpu` seconds of all processes, their start included."""

    rate: float
    cpu: float


def main() -> int:
    """Run it; exits with an error when something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path(".bench"), help="of the devstack (default: %(default)s)")
    parser.add_argument("--events", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rounds: dict[str, list[Done]] = {name: [] for name in (*LAYOUTS, "bare")}
    with (
        devstack(args.dir, ["kafka", "elasticsearch", "postgres"]) as addresses,
        tempfile.TemporaryDirectory(prefix="logintel-bench-") as scratch,
    ):
        sources, events = sources_of(Path(scratch), args.events)
        for _ in range(args.rounds):
            for name, done in asyncio.run(_round(Path(scratch), addresses, sources, events)).items():
                rounds[name].append(done)
                print(f"{name}: {done.rate:,.0f} events/s, {done.cpu * 1e6 / events:.1f} CPU µs per event with start")
    for name in LAYOUTS:
        ratio = Spread.of(ours.rate / its.rate for ours, its in zip(rounds[name], rounds["bare"], strict=True))
        speed = Spread.of(done.rate for done in rounds[name])
        print(f"{name}: {speed.shown(1, 0)} events/s, {ratio.shown(1, 2)} of the bare loops")
    return 0


async def _round(
    scratch: Path, addresses: dict[str, str], sources: list[dict[str, Any]], events: int
) -> dict[str, Done]:
    """By layout, and the bare loops."""
    found = {}
    for name, processes in LAYOUTS.items():
        installation = Installation(scratch, addresses)
        await run_topics.renew(installation.bus)
        async with installation.databases():
            installation.configure(sources)
            installation.send()
            found[name] = await _collected(installation, processes, events)
            if name == list(LAYOUTS)[-1]:
                documents = [one async for one in run_topics.records(installation.bus, PROCESSING.name, {})]
                found["bare"] = await _bare(installation, documents)
    return found


async def _collected(installation: Installation, processes: Sequence[Sequence[str]], events: int) -> Done:
    """Until every event is a row and a document."""
    with ExitStack() as stack:
        running_ones = [stack.enter_context(running(installation.collector_words(*roles))) for roles in processes]
        deadline, first = time.monotonic() + _DEADLINE, None
        while True:
            counts = await installation.rows(installation.dsn), await installation.documents("engineering_logs-2*")
            now = time.monotonic()
            if first is None and max(counts):
                first = (now, min(counts))
            if first is not None and min(counts) >= events:
                break
            if now > deadline:
                raise SystemExit(f"of {events:,} events {counts[0]:,} are rows and {counts[1]:,} documents")
            await asyncio.sleep(_LOOK)
        cpu = sum(map(_cpu, running_ones))
    if set(counts) != {events}:
        raise SystemExit(f"{events:,} events became {counts[0]:,} rows and {counts[1]:,} documents")
    return Done((events - first[1]) / (now - first[0]), cpu)


async def _bare(installation: Installation, documents: Sequence[Consumed]) -> Done:
    started = time.process_time()
    seconds = await asyncio.gather(bare.bulk(installation, documents), bare.copy(installation, documents))
    return Done(len(documents) / max(seconds), time.process_time() - started)


def _cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds, user and system (proc_pid_stat(5))."""
    fields = Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    sys.exit(main())
