"""Show the sources that send events, and how they are: worst first.

With a configuration that names stores.postgres, those that the collectors' keeper watches; otherwise those of
`logintel run` in its data directory.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from logintel.refused import Refused
from logintel_collector.printable import printable
from logintel_collector.source_health import ORDER
from logintel_collector.source_health.row import SourceRow
from logintel_collector.source_health.wording import lag_text, lasted
from logintel_collector.store_location import add_location, alerts_at
from logintel_collector.stores.errors import explained
from logintel_collector.stores.sqlite_file import open_reader

if TYPE_CHECKING:
    from logintel_collector.config import PostgresConfig

EXAMPLES: Final = """
logintel sources list
logintel sources list --config /etc/logintel/collector.yaml --status unhealthy
logintel sources show shop --config /etc/logintel/collector.yaml
logintel sources list --json | jq -r 'select(.status != "healthy") | .name'
"""
_COLUMNS: Final = ("name", "type", "host", "status", "last event", "lag", "streams", "errors", "agent")
#: Columns of numbers.
_RIGHT: Final = frozenset({"lag", "streams", "errors"})
#: A health that was judged longer ago says nothing of now.
_OLD: Final = timedelta(minutes=3)


def arguments(parser: argparse.ArgumentParser) -> None:
    """list, show NAME."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show")
    listing = verbs.add_parser("list", help="a line for each source on each host, worst first")
    listing.add_argument("--status", choices=ORDER, help="only sources of this health")
    listing.add_argument("--all", action="store_true", help="also those that no configuration has any more")
    showing = verbs.add_parser("show", help="all that is known of a source, and why it is not healthy")
    showing.add_argument("name", metavar="NAME", help="its name, or its id")
    for verb in (listing, showing):
        add_location(verb)
        verb.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """0: done, however the sources are; 1: no data, or no source of that name."""
    where = alerts_at(args)
    rows = _embedded(where) if isinstance(where, Path) else _postgres(where)
    rows.sort(key=lambda row: (ORDER.index(row.status), row.name, row.host or ""))
    if args.verb == "show":
        found = [row for row in rows if args.name in (row.name, row.id)]
        if not found:
            raise Refused(f"no source is named {args.name!r}: `logintel sources list --all` shows all there are")
    else:
        found = [row for row in rows if (row.is_active or args.all) and args.status in (None, row.status)]
    for line in _shown(found, args):
        sys.stdout.write(line + "\n")
    _say_what_is_old(found)
    return 0


def _embedded(path: Path) -> list[SourceRow]:
    from logintel_collector.stores.sqlite_sources import overview  # noqa: PLC0415 - one of the two

    with explained(path), closing(open_reader(path)) as connection:
        return overview(connection)


def _postgres(config: PostgresConfig) -> list[SourceRow]:
    from logintel_collector.stores import postgres, postgres_sources  # noqa: PLC0415 - loads its client

    async def read() -> list[SourceRow]:
        async with postgres.connected(config, "sources") as connection:
            await postgres.require_current(connection)
            return await postgres_sources.overview(connection)

    try:
        return asyncio.run(read())
    except (TimeoutError, *postgres.ERRORS) as error:
        raise Refused(f"PostgreSQL: {postgres.explained(error)}") from error


def _shown(rows: Sequence[SourceRow], args: argparse.Namespace) -> Iterator[str]:
    if args.json:
        yield from (orjson.dumps(asdict(row)).decode() for row in rows)
    elif args.verb == "show":
        for row in rows:
            yield from _whole(row)
    elif rows:
        yield from _table(rows)
    else:
        sys.stderr.write("no sources\n")


def _table(rows: Sequence[SourceRow]) -> Iterator[str]:
    cells = [_COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(
            text.rjust(width) if name in _RIGHT else text.ljust(width)
            for text, width, name in zip(row, widths, _COLUMNS, strict=True)
        ).rstrip()


def _cells(row: SourceRow) -> tuple[str, ...]:
    detail = row.detail
    errors = "-" if not detail else f"{detail.get('failures', 0) + detail.get('dead_letters', 0):,}"
    streams = "-" if not detail else f"{detail.get('streams', 0):,}"
    lag = lag_text(detail.get("lag_bytes"), detail.get("lag_records"))
    words = map(printable, (row.name, row.type, row.host or "-", row.status, _moment(detail.get("last_event"))))
    return (*words, lag, streams, errors, printable(str(detail.get("version") or "-")))


def _whole(row: SourceRow) -> Iterator[str]:
    """A paragraph; what it is, how it is, what it is behind with."""
    yield f"{printable(row.name)} on {printable(row.host or '-')}: {row.status}" + (
        f" since {_moment(row.changed_at)}" if row.changed_at else ""
    )
    if row.reason:
        yield f"  {printable(row.reason)}"
    for name, value in _facts(row):
        yield f"  {name:13} {printable(str(value))}"
    for stream in row.detail.get("worst", ()):
        yield f"  behind        {printable(stream['stream'])}: {stream['behind']:,} after {stream['offset']:,}"
    for trouble in row.detail.get("troubles", ()):
        yield f"  cannot read   {printable(trouble['what'])}: {printable(trouble['reason'])}"


def _facts(row: SourceRow) -> Iterator[tuple[str, Any]]:
    yield "id", row.id
    yield "type", row.type + ("" if row.is_active else ", no longer configured")
    if row.description:
        yield "description", row.description
    if detail := row.detail:
        yield "events", f"{detail['events_read']:,} read and {detail['events_sent']:,} sent since the agent's start"
        yield "last event", f"{_moment(detail['last_event'])}, read {_moment(detail['last_read'])}"
        yield "lag", lag_text(detail["lag_bytes"], detail["lag_records"])
        yield "streams", f"{detail['streams']:,}"
        yield "errors", f"{detail['failures']:,} failures, {detail['dead_letters']:,} dead letters"
        if error := detail["last_error"]:
            yield "last error", f"{_moment(error['at'])}: {error['text']}"
        if detail.get("expected_quiet"):
            yield "may be quiet", f"for {lasted(detail['expected_quiet'])}"
        yield "agent", f"{detail['version']}, configuration {detail['config_version']}"
        yield "workers", detail["workers"]
        yield "last heard", _moment(row.heard_at)
    yield "last check", _moment(row.last_health_check)
    for key, value in (row.configuration or {}).items():
        yield key.replace("_", " "), orjson.dumps(value).decode()


def _moment(text: str | None) -> str:
    """To the second, UTC."""
    return "-" if not text else text[:19].replace("T", " ")


def _say_what_is_old(rows: Sequence[SourceRow]) -> None:
    newest = max((row.last_health_check for row in rows if row.last_health_check), default=None)
    if newest is None:
        return
    age = datetime.now(UTC) - datetime.fromisoformat(newest)
    if age > _OLD:
        sys.stderr.write(
            f"logintel: this was true {lasted(age.total_seconds())} ago, nothing watches since: "
            "start `logintel run`, or role keeper of `logintel collector run`\n"
        )
