"""The long run, from the command line: `make faults ARGS="--lines 1000000 --minutes 30 --seed 7"`."""

from __future__ import annotations

import argparse
import sys

from long_run import add_arguments, directory_of, ended

from faults.bench import Course, Outcome, run


def main() -> int:
    """0: the promise was held; 1: it was not, and the directory is kept."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000, help="in all (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="over which they are written (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of the agent (default: %(default)s)")
    add_arguments(parser)
    args = parser.parse_args()
    directory = directory_of(args, "faults-")
    print(f"seed {args.seed}, {args.lines:,} lines in {args.minutes:g} minutes, in {directory}", flush=True)
    course = Course(args.lines, args.seed, 60 * args.minutes, (0.5, 8.0), (0.2, 40.0), 8.0, 5, args.workers)
    outcome = run(directory, course)
    return ended(args, directory, outcome, _told(args.seed, outcome))


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
