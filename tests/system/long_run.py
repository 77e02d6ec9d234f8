"""The long run of a fault bench from the command line: what both benches ask for, and how they end."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Outcome(Protocol):
    """What a bench found. `clean`: the promise was held."""

    @property
    def clean(self) -> bool: ...

    def report(self) -> str:
        """For a person."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--seed, --dir and --json."""
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of all that is drawn")
    parser.add_argument("--dir", type=Path, help="where the run keeps everything (default: a temporary directory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the outcome to FILE, as one line")


def directory_of(args: argparse.Namespace, prefix: str) -> Path:
    """Where the run keeps everything, made."""
    directory: Path = args.dir or Path(tempfile.mkdtemp(prefix=prefix))
    directory.mkdir(exist_ok=True, parents=True)
    directory.chmod(0o755)  # servers run as another user where root starts them
    return directory


def ended(args: argparse.Namespace, directory: Path, outcome: Outcome, told: Mapping[str, object]) -> int:
    """0: the promise was held; 1: it was not, and the directory is kept."""
    print(outcome.report())
    if args.json:
        with args.json.open("a", encoding="utf-8") as out:
            out.write(json.dumps(told) + "\n")
    if not outcome.clean:
        print(f"FAILED: seed {args.seed}; everything is in {directory}, the faults with their times in faults.log")
        return 1
    shutil.rmtree(directory)
    return 0
