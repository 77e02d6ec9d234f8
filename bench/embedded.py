"""The embedded collector: files into SQLite with `logintel run --once`; events/s, CPU per event and memory, medians.

python bench/embedded.py [--size 0.1] [--rounds 3]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import orjson
from measured import Cost, Run
from spread import Spread
from workloads import WORKLOADS, Workload

from agent import COMMAND

_FORM: Final = "{:<3} {:>24} {:>26} {:>14}"


def main() -> int:
    """Run it; exits with an error when an event was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=0.1, help="part of the full workloads (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logintel-bench-") as name:
        scratch = Path(name)
        counts = {workload: max(1, round(workload.full * args.size)) for workload in WORKLOADS}
        for workload, events in counts.items():
            workload.write(scratch / f"{workload.name}.log", events)
        costs: dict[Workload, list[Cost]] = {workload: [] for workload in WORKLOADS}
        for _ in range(args.rounds):
            for workload, events in counts.items():
                costs[workload].append(_run(scratch, workload, events))
    print(_FORM.format("", "CPU µs per event", "events/s", "peak MiB"))
    for workload, events in counts.items():
        runs = costs[workload]
        print(
            _FORM.format(
                workload.name,
                Spread.of(run.cpu for run in runs).shown(1e6 / events, 1),
                Spread.of(events / run.seconds for run in runs).shown(1, 0),
                Spread.of(run.memory for run in runs).shown(1 / 1024**2, 0),
            )
        )
    return 0


def _run(scratch: Path, workload: Workload, events: int) -> Cost:
    """What one run into a fresh data directory cost, its start included."""
    data = scratch / "data"
    words: list[str | Path] = [*COMMAND, "run", "--once", "--json", "--data", data, scratch / f"{workload.name}.log"]
    cost, printed = Run(scratch / "cost", words, scratch / "log").finish()
    shutil.rmtree(data)
    if (found := orjson.loads(printed)["total_indexed"]) != events:
        raise SystemExit(f"{workload.name}: {events:,} events became {found:,} documents")
    return cost


if __name__ == "__main__":
    sys.exit(main())
