"""Run real Kafka, Elasticsearch and PostgreSQL on this machine: without Docker, as root or as any user.

`up` returns when they serve, and prints their addresses; what runs already is left alone. The first time it downloads
them. `down` stops them and keeps their data for the next `up`. They listen on the loopback address only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from logintel.config.problem import nearest
from logintel.paths import default_data_dir
from logintel_devstack.server import Server
from logintel_devstack.stack import NAMES, USUAL, Stack

EXAMPLES: Final = """
logintel devstack up
logintel devstack up --only kafka,postgres --dir /tmp/stack --json
logintel devstack status
logintel devstack down
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """up, status, down."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="up|status|down")
    up = verbs.add_parser("up", help="start the servers and print their addresses when all of them serve")
    status = verbs.add_parser("status", help="say which servers run, and where")
    down = verbs.add_parser("down", help="stop the servers; their data stays")
    for verb in (up, status, down):
        verb.add_argument(
            "--dir",
            type=Path,
            metavar="DIR",
            help="where the data is (default: devstack/ in logintel's data directory)",
        )
        verb.add_argument("--json", action="store_true", help="one JSON object by server")
    for verb, default, word in ((up, USUAL, ",".join(USUAL)), (down, NAMES, "all")):
        verb.add_argument(
            "--only", type=_names, default=default, metavar="NAME,…", help=f"of {', '.join(NAMES)} (default: {word})"
        )


def run(args: argparse.Namespace) -> int:
    """0: done."""
    stack = Stack(args.dir or default_data_dir() / "devstack")
    match args.verb:
        case "up":
            _print(stack.up(args.only), as_json=args.json)
        case "status":
            _show(stack.status(), as_json=args.json)
        case "down":
            _print(dict.fromkeys(stack.down(args.only), "stopped"), as_json=args.json)
    return 0


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in NAMES:
            raise argparse.ArgumentTypeError(f"no server {name!r}{nearest(name, NAMES)}: there are {', '.join(NAMES)}")
    return names


def _show(servers: Mapping[str, Server], *, as_json: bool) -> None:
    if as_json:
        about = {
            name: {
                "running": server.running,
                "address": server.address,
                "version": server.version,
                "log": str(server.log),
            }
            for name, server in servers.items()
        }
        print(json.dumps(about))  # noqa: T201 - a command's output
        return
    _print(
        {
            name: f"{server.address} {server.version}" if server.running else "stopped"
            for name, server in servers.items()
        },
        as_json=False,
    )


def _print(by_server: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(by_server))  # noqa: T201 - a command's output
        return
    for name, text in by_server.items():
        print(f"{name:<14} {text}")  # noqa: T201 - a command's output
