"""The benchmark: file, agent, real Kafka; CPU of the agent per million events, as medians of interleaved rounds.

python bench/run.py --kafka HOST:PORT [--size 0.05] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from workloads import WORKLOADS, Workload

from logintel.bus.kafka_consumer import GroupConsumer
from logintel.bus.topics import INGESTION, set_up
from logintel.config.shared import KafkaBusConfig

_CODE: Final = "import sys; from logintel.main import main; sys.exit(main())"

#: Seconds that the events of one run may take to be read back.
_PATIENCE: Final = 120.0


class Round(NamedTuple):
    """What one run of the agent cost."""

    cpu: float
    seconds: float
    memory: int


def main() -> int:
    """Run it; 1 when an event was lost, doubled or changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT")
    parser.add_argument("--size", type=float, default=0.05, help="part of the full workloads (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    bus = KafkaBusConfig(bootstrap_servers=(args.kafka,))
    asyncio.run(set_up(bus))
    with tempfile.TemporaryDirectory(prefix="logintel-bench-") as scratch:
        return _measure(Path(scratch), bus, args.size, args.rounds)


def _measure(scratch: Path, bus: KafkaBusConfig, size: float, rounds: int) -> int:
    costs: dict[str, list[Round]] = {workload.name: [] for workload in WORKLOADS}
    files: dict[str, tuple[Path, int, int]] = {}
    for workload in WORKLOADS:
        path, events = scratch / f"{workload.name}.log", max(100, int(workload.full * size))
        files[workload.name] = path, events, workload.write(path, events)
    wrong = 0
    for _ in range(rounds):
        for workload in WORKLOADS:
            path, events, _bytes = files[workload.name]
            source = f"{workload.name}-{secrets.token_hex(4)}"
            costs[workload.name].append(_send(scratch, bus, path, source))
            wrong += asyncio.run(_differences(bus, source, workload, events))
    for name, runs in costs.items():
        _path, events, written = files[name]
        cpu, seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
        print(
            f"{name}: {events} events, {cpu / events * 1e6:.1f} CPU s per million, {events / seconds:,.0f} events/s, "
            f"{written / seconds / 1e6:.1f} MB/s, {memory / 1024:.0f} MiB at most"
        )
    print(f"{wrong} events lost, doubled or changed")
    return 1 if wrong else 0


def _send(scratch: Path, bus: KafkaBusConfig, path: Path, source: str) -> Round:
    """One run of the agent from the file's start, as a process of its own, which is what is measured."""
    config = scratch / "agent.yaml"
    keys = {"name": source, "type": "application", "paths": [str(path)]}
    config.write_bytes(
        orjson.dumps({"bus": {"kafka": {"bootstrap_servers": bus.bootstrap_servers}}, "sources": [keys]})
    )
    words = ["agent", "run", "--config", str(config), "--data", str(scratch / source), "--once", "--json"]
    started = time.monotonic()
    running = subprocess.Popen([sys.executable, "-c", _CODE, *words], stdout=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"the agent ended with {running.returncode}")
    return Round(usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss)


async def _differences(bus: KafkaBusConfig, source: str, workload: Workload, events: int) -> int:
    """Events of the run that are not, in order, what the file says; read until as many came and no more do."""
    consumer = GroupConsumer(bus, INGESTION.name, f"bench-{secrets.token_hex(6)}")
    await consumer.start()
    mark = source.encode()
    found: list[str] = []
    quiet = 0
    deadline = time.monotonic() + _PATIENCE
    try:
        while quiet < 2 and time.monotonic() < deadline:
            batches = await consumer.read(20_000, 1.0)
            values = [r.value for b in batches for r in b.records if r.value is not None and mark in r.value]
            found += (_raw(orjson.loads(value)) for value in values)
            quiet = 0 if batches or len(found) < events else quiet + 1
    finally:
        await consumer.stop()
    pairs = zip(chain(found, [None] * events), workload.lines(events), strict=False)
    return sum(raw != line for raw, line in pairs) + max(0, len(found) - events)


def _raw(event: dict[str, Any]) -> str:
    return str(event["raw_log"])


if __name__ == "__main__":
    sys.exit(main())
