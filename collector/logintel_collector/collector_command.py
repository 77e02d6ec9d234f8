"""Process, index, record and watch what agents send to Kafka.

`logintel collector setup` makes the topics, says where the groups begin, puts the index templates of
Elasticsearch and makes the tables of PostgreSQL; it may be repeated at any time.
`logintel collector run` does the roles that the configuration names until stopped (Ctrl-C, SIGTERM); with --once it
ends when they have caught up with what is on the bus. More processes share the work. SIGHUP has it read its
configuration and its rules again.
`logintel collector import` brings over what `logintel run` has kept in a data directory: documents, alerts, rules'
state, how far each file was read, and what was not stored yet. Stop `logintel run` for good before, and start the
collector after; should it break off, run it again.
`logintel collector rewind` has the recorder or the indexer store once more what came since a moment: after its store
was restored from a backup. What is there already stays as it is. Stop the role's processes before.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from logintel import garbage, logs, memory
from logintel.config.load import load
from logintel.config.problem import Misconfigured, Problem
from logintel.config.shared import KafkaBusConfig
from logintel.refused import Refused
from logintel.service.notify import Notify
from logintel.stopping import stop_on_signal
from logintel_collector import snapshots_command
from logintel_collector.config import CollectorConfig
from logintel_collector.generations import Generation, Generations
from logintel_collector.roles import MODULES, NEEDS
from logintel_collector.roles.role import Role

EXAMPLES: Final = """
    logintel collector setup --config /etc/logintel/collector.yaml
    logintel collector run --config /etc/logintel/collector.yaml
    logintel collector run --config collector.yaml --roles processor --once --json
    logintel collector rewind --config collector.yaml --role recorder --to 2026-11-25T09:45:00Z
    logintel collector import --config collector.yaml --data ~/.local/state/logintel
    logintel collector snapshot --list --config collector.yaml
    logintel collector restore logintel-2026.11.25 --rename restored- --config collector.yaml
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="setup|run|import|rewind|snapshot|restore")
    setup = actions.add_parser("setup", help="make what is missing on the servers")
    run_parser = actions.add_parser("run", help="do the roles of the configuration")
    importing = actions.add_parser("import", help="bring over what `logintel run` has kept")
    importing.add_argument("--data", type=Path, metavar="DIR", required=True, help="its data directory")
    rewinding = actions.add_parser("rewind", help="store once more what came since a moment")
    rewinding.add_argument("--role", choices=("recorder", "indexer"), required=True, help="whose store was restored")
    rewinding.add_argument("--to", type=_moment, metavar="TIME", required=True, help="ISO 8601; UTC without a zone")
    snapshot = actions.add_parser("snapshot", help="copy the indices into a repository, or list and verify copies")
    restore = actions.add_parser("restore", help="bring indices back from a snapshot")
    snapshots_command.arguments(snapshot, restore)
    for action in (setup, run_parser, importing, rewinding, snapshot, restore):
        action.add_argument("--config", metavar="FILE", required=True, help="YAML with the keys of collector.yaml")
        action.add_argument("--json", action="store_true", help="print one JSON object, last")
    run_parser.add_argument("--roles", metavar="A,B", help="these instead of the configuration's")
    run_parser.add_argument("--once", action="store_true", help="end when the roles have caught up with the bus")


def run(args: argparse.Namespace) -> int:
    """0: done."""
    config = load(CollectorConfig, args.config, args.data if args.action == "import" else None)
    if args.action in ("snapshot", "restore"):
        return _told(snapshots_command.work(config, args), as_json=args.json)
    kafka = _kafka(config, args.config)
    if args.action == "setup":
        from logintel_collector.setting_up import set_up  # noqa: PLC0415 - needs a Kafka client, `--help` does not

        return _told(set_up(kafka, config.installation, config.stores), as_json=args.json)
    if args.action == "rewind":
        from logintel_collector.setting_up import rewind  # noqa: PLC0415 - as above

        return _told(rewind(kafka, config.installation, args.role, args.to), as_json=args.json)
    if args.action == "import":
        from logintel_collector.importer.transfer import transfer  # noqa: PLC0415 - as above

        return _told(transfer(config, args.data.absolute()), as_json=args.json)
    generations = Generations(_generation(config, args), lambda: _read(args), Notify.from_environment())
    logs.set_up("info", sys.stderr)
    garbage.collect_rarely()
    memory.keep()
    started = time.monotonic()
    asyncio.run(_run(generations, once=args.once))
    seconds = round(time.monotonic() - started, 3)
    roles = generations.current.roles
    if args.json:
        done: dict[str, Any] = {role.name: role.summary() for role in roles}
        sys.stdout.buffer.write(orjson.dumps({"roles": done, "seconds": seconds}) + b"\n")
    elif args.once:
        for role in roles:
            parts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in role.summary().items())
            print(f"{role.name}: {parts} in {seconds} s")  # noqa: T201 - the command's output
    return 0


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _told(work: AsyncIterator[str], *, as_json: bool) -> int:
    """Do it, and print each line of what was done when it is; with --json all of them at the end."""

    async def finished() -> list[str]:
        done = []
        async for line in work:
            done.append(line)
            if not as_json:
                print(line, flush=True)  # noqa: T201 - the command's output
        return done

    done = asyncio.run(finished())
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"done": done}) + b"\n")
    return 0


def _roles(config: CollectorConfig, file: str, names: Sequence[str]) -> list[Role]:
    """The roles named, in the order in which events pass them. Raises Refused, Misconfigured."""
    absent = [name for name in names if name not in MODULES]
    if absent:
        raise Refused(f"role {absent[0]!r} is not in this version: it has {', '.join(MODULES)}")
    chosen = {name: module for name, module in MODULES.items() if name in names}
    problems = [
        Problem(file, 0, f"stores.{NEEDS[name]}", f"is missing: role {name} needs it; add it, or leave the role out")
        for name in chosen
        if name in NEEDS and getattr(config.stores, NEEDS[name]) is None
    ]
    if problems:
        raise Misconfigured(problems)
    return [importlib.import_module(module).build(config) for module in chosen.values()]


def _kafka(config: CollectorConfig, file: str) -> KafkaBusConfig:
    if config.bus.kafka is None:
        message = "is missing: the collector reads from Kafka (to collect and store in one process, `logintel run`)"
        raise Misconfigured([Problem(file, 0, "bus.kafka", message)])
    return config.bus.kafka


def _read(args: argparse.Namespace) -> Generation:
    config = load(CollectorConfig, args.config)
    _kafka(config, args.config)
    return _generation(config, args)


def _generation(config: CollectorConfig, args: argparse.Namespace) -> Generation:
    names = args.roles.split(",") if args.roles else config.roles
    return Generation(_roles(config, args.config, names), config.monitor)


async def _run(generations: Generations, *, once: bool) -> None:
    await generations.run(stop_on_signal(), once=once)
