"""The long run, from the command line: `make faults-collector ARGS="--minutes 20 --seed 7"`."""

from __future__ import annotations

import argparse
import sys

from long_run import add_arguments, directory_of, ended

from collector_faults.bench import Course, Outcome, run


def main() -> int:
    """0: the promise was held; 1: it was not, and the directory is kept."""
    parser = argparse.ArgumentParser(prog="collector_faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="of faults (default: %(default)s)")
    parser.add_argument("--events", type=int, help="in all (default: 100 a second)")
    parser.add_argument("--poisons", type=int, default=3, help="of each kind (default: %(default)s)")
    add_arguments(parser)
    args = parser.parse_args()
    directory = directory_of(args, "collector-faults-")
    events = args.events or int(6000 * args.minutes)
    print(f"seed {args.seed}, {events:,} events in {args.minutes:g} minutes, in {directory}", flush=True)
    course = Course(events, args.seed, 60 * args.minutes, (0.5, 15.0), (0.3, 25.0), args.poisons, restarts=True)
    outcome = run(directory, course)
    return ended(args, directory, outcome, _told(args.seed, outcome))


def _told(seed: int, outcome: Outcome) -> dict[str, object]:
    stages = {
        stage.name: {
            "in": len(stage.sent),
            "stored": len(stage.stored),
            "letters": len(stage.letters),
            "missing": len(stage.missing),
            "doubled": len(stage.doubled),
        }
        for stage in outcome.verdict.stages
    }
    return {
        "seed": seed,
        "seconds": round(outcome.seconds),
        "faults": outcome.history.counts(),
        "stages": stages,
        "letters": outcome.verdict.notes,
        "rule_counted": sum(outcome.verdict.counted.values()),
        "rule_expected": sum(outcome.verdict.watched.values()),
        "untold": len(outcome.verdict.untold),
        "recovery": outcome.recovery,
        "waiting": outcome.waiting,
        "errors": outcome.errors,
        "bulks": vars(outcome.herd),
        "clean": outcome.clean,
    }


sys.exit(main())
