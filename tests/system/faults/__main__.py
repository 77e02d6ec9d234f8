"""The long run, from the command line: `make faults ARGS="--lines 1000000 --minutes 30 --seed 7"`."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from faults.bench import Course, Outcome, run


def main() -> int:
    """0: the promise was held; 1: it was not, and the directory is kept."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000, help="in all (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="over which they are written (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of all that is drawn")
    parser.add_argument("--workers", type=int, default=2, help="processes of the agent (default: %(default)s)")
    parser.add_argument("--dir", type=Path, help="where the run keeps everything (default: a temporary directory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the outcome to FILE, as one line")
    args = parser.parse_args()
    directory = args.dir or Path(tempfile.mkdtemp(prefix="faults-"))
    directory.mkdir(exist_ok=True, parents=True)
    directory.chmod(0o755)  # the broker runs as another user where root starts it
    print(f"seed {args.seed}, {args.lines:,} lines in {args.minutes:g} minutes, in {directory}", flush=True)
    course = Course(args.lines, args.seed, 60 * args.minutes, (0.5, 8.0), (0.2, 40.0), 8.0, 5, args.workers)
    outcome = run(directory, course)
    print(outcome.report())
    if args.json:
        with args.json.open("a", encoding="utf-8") as out:
            out.write(json.dumps(_told(args.seed, outcome)) + "\n")
    if not outcome.clean:
        print(f"FAILED: seed {args.seed}; everything is in {directory}, the faults with their times in faults.log")
        return 1
    shutil.rmtree(directory)
    return 0


def _told(seed: int, outcome: Outcome) -> dict[str, object]:
    return {
        "seed": seed,
        "seconds": round(outcome.seconds),
        "faults": outcome.history.counts(),
        "caught_up": outcome.caught_up,
        "errors": outcome.errors,
        "lines": outcome.sent.written,
        "uncertain": outcome.sent.uncertain,
        "missing": len(outcome.sent.missing),
        "doubled": len(outcome.sent.doubled),
        "repeated": outcome.sent.repeated,
        "missing_processed": len(outcome.processed.missing),
        "repeated_processed": outcome.processed.repeated + len(outcome.processed.doubled),
        "clean": outcome.clean,
    }


sys.exit(main())
