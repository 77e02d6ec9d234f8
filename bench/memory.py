"""The memory of the collector under load for long, with stores that go away and come back; whether it grows.

python bench/memory.py [--minutes 60] [--rate 1000]

All roles in one process. What is resident is looked at every second; the slope is that of a line through the means of
blocks of time, because looks that follow each other tell the same. The first quarter, in which caches fill, is left
out.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Final, NamedTuple

import run_topics
import structlog
from servers import devstack
from trial import Installation, running
from workloads import WORKLOADS

from logintel_devstack.stack import Stack

#: Part of the time that is left out, and blocks that the rest is divided into.
_WARM_UP: Final = 0.25
_BLOCKS: Final = 12
#: Student's t for 95 % on both sides with _BLOCKS - 2 degrees of freedom.
_T: Final = 2.228
#: Seconds between two outages, and seconds that one lasts.
_EVERY: Final = 120.0
_AWAY: Final = 30.0
#: Lines that are written again and again.
_LINES: Final = 20_000
_DEADLINE: Final = 300.0
_MIB: Final = 1024**2


class Look(NamedTuple):
    """`at` seconds from the start, `resident` bytes."""

    at: float
    resident: int


class Slope(NamedTuple):
    """MiB per hour, and how far from it the true one may be (95 %)."""

    rate: float
    margin: float


def main() -> int:
    """Run it; 1 when memory grows, or an event was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path(".bench"), help="of the devstack (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=60, help="default: %(default)s")
    parser.add_argument("--rate", type=int, default=1000, help="events a second (default: %(default)s)")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with (
        devstack(args.dir, ["kafka", "elasticsearch", "postgres"]) as addresses,
        tempfile.TemporaryDirectory(prefix="logintel-memory-") as scratch,
    ):
        return asyncio.run(_trial(Stack(args.dir), Installation(Path(scratch), addresses), Path(scratch), args))


async def _trial(stack: Stack, installation: Installation, scratch: Path, args: argparse.Namespace) -> int:
    log = scratch / "load.log"
    log.touch()
    await run_topics.renew(installation.bus)
    async with installation.databases():
        installation.configure([{"name": "load", "type": "application", "paths": [str(log)]}])
        with running(installation.agent_words()), running(installation.collector_words()) as collector:
            written, looks = await _loaded(stack, log, collector, args)
            counts = await _counts(installation, written)
    slope = slope_of(looks)
    print(f"{written:,} events in {looks[-1].at / 60:.0f} minutes; {counts[0]:,} rows, {counts[1]:,} documents")
    most = max(look.resident for look in looks)
    print(f"resident: {looks[-1].resident / _MIB:.0f} MiB at the end, {most / _MIB:.0f} at most")
    print(f"slope: {slope.rate:+.1f} MiB per hour, 95 % within {slope.margin:.1f} of it")
    return 1 if slope.rate > slope.margin or set(counts) != {written} else 0


async def _loaded(
    stack: Stack, log: Path, collector: subprocess.Popen[bytes], args: argparse.Namespace
) -> tuple[int, list[Look]]:
    """How many events were written, and the looks meanwhile."""
    lines = cycle(list(islice(WORKLOADS[0].lines(_LINES), _LINES)))
    started, written, looks = time.monotonic(), 0, []
    outages = asyncio.create_task(_outages(stack, args.minutes * 60))
    with log.open("a", encoding="utf-8") as file:
        while not outages.done():
            due = int((time.monotonic() - started) * args.rate) - written
            file.writelines(line + "\n" for line in islice(lines, due))
            file.flush()
            written += due
            looks.append(Look(time.monotonic() - started, _resident_of(collector.pid)))
            await asyncio.sleep(1)
    await outages
    return written, looks


async def _outages(stack: Stack, seconds: float) -> None:
    """Elasticsearch, then PostgreSQL, again and again, so that the last one is over when the time is."""
    started = time.monotonic()
    for name in cycle(("elasticsearch", "postgres")):
        await asyncio.sleep(min(_EVERY, max(started + seconds - time.monotonic(), 0)))
        if time.monotonic() + _AWAY + _EVERY > started + seconds:
            await asyncio.sleep(max(started + seconds - time.monotonic(), 0))
            return
        await asyncio.to_thread(stack.down, [name])
        await asyncio.sleep(_AWAY)
        await asyncio.to_thread(stack.up, [name])


async def _counts(installation: Installation, written: int) -> tuple[int, int]:
    """Rows and documents, when all are there or nothing more can be expected."""
    deadline = time.monotonic() + _DEADLINE
    while True:
        found = await installation.rows(installation.dsn), await installation.documents("engineering_logs-2*")
        if min(found) >= written or time.monotonic() > deadline:
            return found
        await asyncio.sleep(2)


def slope_of(looks: Sequence[Look]) -> Slope:
    """Of the line through the means of the blocks after warming up."""
    first = looks[-1].at * _WARM_UP
    length = (looks[-1].at - first) / _BLOCKS
    blocks: list[list[int]] = [[] for _ in range(_BLOCKS)]
    for look in looks:
        if look.at >= first:
            blocks[min(int((look.at - first) / length), _BLOCKS - 1)].append(look.resident)
    hours = [(first + (number + 0.5) * length) / 3600 for number in range(_BLOCKS)]
    means = [statistics.fmean(block) / _MIB for block in blocks]
    rate, start = statistics.linear_regression(hours, means)
    errors = sum((mean - start - rate * hour) ** 2 for hour, mean in zip(hours, means, strict=True))
    spread = sum((hour - statistics.fmean(hours)) ** 2 for hour in hours)
    return Slope(rate, _T * (errors / (_BLOCKS - 2) / spread) ** 0.5)


def _resident_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the collector has ended")


if __name__ == "__main__":
    sys.exit(main())
