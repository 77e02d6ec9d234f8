"""Show the alerts that rules have raised, newest first.

With a configuration that names stores.postgres, those of the collectors that use it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from logintel.refused import Refused
from logintel_collector.alert import Alert, Status
from logintel_collector.printable import printable
from logintel_collector.store_location import add_limit, add_location, alerts_at
from logintel_collector.stores.errors import explained
from logintel_collector.stores.sqlite_alerts import latest_alerts
from logintel_collector.stores.sqlite_file import open_reader

if TYPE_CHECKING:
    from logintel_collector.config import PostgresConfig

EXAMPLES: Final = """
logintel alerts list
logintel alerts list --status OPEN --limit 5
logintel alerts list --json | jq -r .title
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """list."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list")
    listing = verbs.add_parser("list", help="alerts with their count, first and last event, and why")
    add_location(listing)
    listing.add_argument("--status", type=str.upper, choices=get_args(Status), help="only alerts of this status")
    add_limit(listing)
    listing.add_argument("--json", action="store_true", help="whole alerts, one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """0: done, also when there is no alert; 1: no data."""
    where = alerts_at(args)
    alerts = _embedded(args, where) if isinstance(where, Path) else _postgres(args, where)
    if not alerts and not args.json:
        sys.stderr.write("no alerts\n")
    for alert in alerts:
        sys.stdout.write(json.dumps(asdict(alert)) + "\n" if args.json else _shown(alert))
    return 0


def _embedded(args: argparse.Namespace, path: Path) -> list[Alert]:
    with explained(path), closing(open_reader(path)) as connection:
        return latest_alerts(connection, args.status, args.limit)


def _postgres(args: argparse.Namespace, config: PostgresConfig) -> list[Alert]:
    from logintel_collector.stores import postgres, postgres_alerts  # noqa: PLC0415 - loads its client

    async def latest() -> list[Alert]:
        async with postgres.connected(config, "alerts") as connection:
            await postgres.require_current(connection)
            return await postgres_alerts.latest_alerts(connection, args.status, args.limit)

    try:
        return asyncio.run(latest())
    except (TimeoutError, *postgres.ERRORS) as error:
        raise Refused(f"PostgreSQL: {postgres.explained(error)}") from error


def _shown(alert: Alert) -> str:
    """Three lines: severity, status and title; why; how many and when."""
    about = alert.metadata
    first, last = (about.get(key, alert.triggered_at) for key in ("first_seen", "last_seen"))
    lines = [
        f"{alert.severity:8} {alert.status:12} {printable(alert.title)}",
        f"    {printable(str(about.get('reason') or alert.description))}",
        f"    count {about.get('count', 1)}, first seen {first}, last seen {last}",
    ]
    return "\n".join(lines) + "\n"
