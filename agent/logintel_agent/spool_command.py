"""Look into what the agent received and has not delivered yet: check it, export it, repair it.

`check` and `export` change nothing and may be used while the agent runs. `repair` needs the agent stopped: it moves
each damaged segment aside (nothing is deleted) and leaves its intact events in place, under the ids that they had, so
that the agent sends none twice. The agent itself needs no repair: it reads around damage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from logintel.bus.segment import Entry, Segment
from logintel.bus.segment_repair import repair
from logintel.bus.segment_survey import Survey, read, segments_in, survey
from logintel.config.load import load
from logintel.locking import DirectoryLock, DirectoryLocked
from logintel.paths import default_data_dir
from logintel.refused import Refused
from logintel_agent.config import AgentConfig
from logintel_agent.spool_event import exported

EXAMPLES: Final = """
    logintel spool check                             # the spools of the default data directory
    logintel spool check --config /etc/logintel/agent.yaml --json
    logintel spool export --output rescued.jsonl     # every intact event, one JSON object a line
    logintel spool repair /mnt/old-disk/spool/net    # one spool's directory
"""


@dataclass(frozen=True, slots=True)
class _Spool:
    """A spool's directory, and which process holds it: None nobody, 0 one that is not known."""

    directory: Path
    holder: int | None

    @property
    def source(self) -> str:
        return self.directory.name

    def surveys(self) -> Iterator[Survey]:
        return survey(segments_in(self.directory), growing=self.holder is not None)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="check|export|repair")
    check = verbs.add_parser("check", help="segments, events and damage of each spool; exit code 1 when one is damaged")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    export = verbs.add_parser("export", help="the intact events, also delivered ones of segments that still exist")
    export.add_argument("--output", metavar="FILE", type=Path, help="new file, readable by you alone (default: stdout)")
    verbs.add_parser("repair", help="move damaged segments aside, keep their intact events in place")
    for verb in verbs.choices.values():
        verb.add_argument("directories", nargs="*", metavar="DIR", type=Path, help="a spool (default: all)")
        verb.add_argument("--config", metavar="FILE", help="agent.yaml, which may say where the agent keeps its data")
        verb.add_argument("--data", metavar="DIR", type=Path, help="data directory (default: %(default)s)")
        verb.set_defaults(data=default_data_dir())


def run(args: argparse.Namespace) -> int:
    """0: no damage, or all of it repaired; 1: there is some."""
    spools = [_Spool(directory, _holder(directory)) for directory in _directories(args)]
    try:
        if args.verb == "check":
            return _check(spools, as_json=args.json)
        if args.verb == "export":
            return _export(spools, args.output)
        return max(map(_repair, spools), default=0)
    except PermissionError as error:
        raise Refused(f"{error.filename}: {error.strerror}: run it as the user of the agent, or as root") from error


def _directories(args: argparse.Namespace) -> list[Path]:
    for directory in args.directories:
        if not directory.is_dir():
            raise Refused(f"{directory} is no directory: name a spool, such as DATA/agent/worker-0/spool/SOURCE")
    if args.directories:
        return list(args.directories)
    data = args.data.absolute()
    agent = load(AgentConfig, args.config, data).agent.data_dir
    if not agent.is_dir():
        raise Refused(f"{agent} is no directory: name the agent's data with --data or --config")
    return sorted(path for path in agent.glob("worker-*/spool/*") if path.is_dir())


def _holder(directory: Path) -> int | None:
    try:
        DirectoryLock(directory).release()
    except DirectoryLocked as error:
        return error.pid or 0
    except OSError:
        return None  # a disk that is mounted read-only has no writer
    return None


def _check(spools: list[_Spool], *, as_json: bool) -> int:
    told = [_told(spool) for spool in spools]
    damaged = any(spool["damaged"] for spool in told)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"damaged": damaged, "spools": told}) + b"\n")
    else:
        sys.stdout.writelines(f"{line}\n" for spool in told for line in _lines(spool))
        if not told:
            sys.stdout.write("no spools: nothing was received here\n")
        if damaged:
            sys.stdout.write("The agent reads around damage. `logintel spool repair` moves damaged segments aside.\n")
    return 1 if damaged else 0


def _told(spool: _Spool) -> dict[str, Any]:
    segments = [
        {
            "file": found.segment.path.name,
            "bytes": found.bytes,
            "records": found.records,
            "missing": found.missing,
            "damage": [place._asdict() for place in found.damage],
        }
        for found in spool.surveys()
    ]
    return {
        "source": spool.source,
        "directory": str(spool.directory),
        "in_use_by": spool.holder,
        "bytes": sum(segment["bytes"] for segment in segments),
        "records": sum(segment["records"] for segment in segments),
        "missing": sum(segment["missing"] for segment in segments),
        "damaged": any(segment["damage"] for segment in segments),
        "segments": segments,
    }


def _lines(spool: dict[str, Any]) -> Iterator[str]:
    used = "" if spool["in_use_by"] is None else f", in use by process {spool['in_use_by'] or '?'}"
    missing = f", {spool['missing']:,} missing" if spool["missing"] else ""
    yield f"{spool['directory']}: {spool['records']:,} records{missing}, {spool['bytes']:,} bytes{used}"
    for segment in spool["segments"]:
        state = "damaged" if segment["damage"] else "intact"
        yield f"  {segment['file']}: {segment['records']:,} records, {segment['bytes']:,} bytes, {state}"
        for place in segment["damage"]:
            yield f"    {place['length']:,} bytes at {place['offset']:,}: {place['reason']}"


def _export(spools: list[_Spool], output: Path | None) -> int:
    if output is None:
        return _write(spools, sys.stdout.buffer)
    try:
        private = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused(f"{output} exists already: name a new file") from error
    with os.fdopen(private, "wb") as file:
        return _write(spools, file)


def _write(spools: list[_Spool], out: BinaryIO) -> int:
    unread: list[str] = []
    for spool in spools:
        for segment in segments_in(spool.directory):
            stream = segment.id.hex()
            out.writelines(
                exported(payload, spool.source, stream, number) for number, payload in _read(segment, unread)
            )
    sys.stderr.writelines(f"logintel: {problem}: the rest of it is left out\n" for problem in unread)
    return 1 if unread else 0


def _read(segment: Segment, unread: list[str]) -> Iterator[Entry]:
    try:
        yield from read(segment)
    except FileNotFoundError:
        return  # delivered and deleted meanwhile
    except OSError as error:
        unread.append(f"{segment.path}: {error.strerror}")


def _repair(spool: _Spool) -> int:
    """Repair one spool, which nobody else may open meanwhile."""
    try:
        lock = DirectoryLock(spool.directory)
    except DirectoryLocked as error:
        raise Refused(f"{spool.directory} is in use by process {error.pid or '?'}: stop the agent first") from error
    try:
        return max([_repaired(found) for found in spool.surveys() if found.damage], default=0)
    finally:
        lock.release()


def _repaired(found: Survey) -> int:
    if not found.segment.path.is_file():
        sys.stdout.write(f"{found.segment.path}: not repaired: {found.damage[0].reason}\n")
        return 1
    aside = repair(found)
    sys.stdout.write(f"{found.segment.path}: {found.records:,} intact records kept; the damaged file is {aside}\n")
    return 0
