"""Search the indexed events, newest first.

QUERY is a Lucene query string (field:value, AND OR NOT, "a phrase", wildcards, ranges; words alone are looked for in
message) or Elasticsearch Query DSL when it begins with `{`. Rules understand the same queries. Searching while
`logintel run` writes is fine.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from typing import Final

import orjson

from logintel.event import Json
from logintel_collector.printable import printable
from logintel_collector.query import Query, QueryError, compile_dsl, compile_text, product_mapping
from logintel_collector.store_location import add_limit, add_location, located
from logintel_collector.stores.sqlite_search import Search

EXAMPLES: Final = """
logintel search 'level:ERROR AND timeout'
logintel search 'metadata.status:[500 TO 599] AND NOT metadata.path:/health*' --limit 100
logintel search '{"term": {"parsed_fields.service": "shop"}}' --json
logintel search '*' --count
"""
_USAGE: Final = 2
_COLOURS: Final = {"FATAL": "1;31", "ERROR": "31", "WARN": "33", "INFO": "32", "DEBUG": "2"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """QUERY, where to look, and how much to show."""
    parser.add_argument("query", metavar="QUERY", help="Lucene query string, or Query DSL that begins with `{`")
    add_location(parser)
    add_limit(parser)
    parser.add_argument("--count", action="store_true", help="print how many match")
    parser.add_argument("--json", action="store_true", help="whole documents, one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """0: done, also when nothing matches; 1: no data; 2: the query is none."""
    path = located(args)
    try:
        query = _compiled(args.query)
    except QueryError as error:
        example = EXAMPLES.strip().splitlines()[0]
        print(f"logintel search: {error}; a query that works: {example}", file=sys.stderr)  # noqa: T201 - a command
        return _USAGE
    with Search(path) as search:
        if args.count:
            found = search.count(query)
            _write(f'{{"count": {found}}}' if args.json else str(found))
            return 0
        show = _as_json if args.json else _as_line
        shown = 0
        for document in search.documents(query, args.limit):
            _write(show(document))
            shown += 1
        if not shown and not args.json and sys.stderr.isatty():
            print("no event matches", file=sys.stderr)  # noqa: T201 - a command's output
    return 0


def _compiled(text: str) -> Query:
    mapping, now = product_mapping(), lambda: datetime.now(UTC)
    if not text.lstrip().startswith("{"):
        return compile_text(text, mapping, now)
    try:
        dsl: Json = orjson.loads(os.fsencode(text))
    except ValueError as error:
        raise QueryError("query", f"is not JSON: {error}") from None
    return compile_dsl(dsl, mapping, now)


def _as_json(document: dict[str, Json]) -> str:
    return orjson.dumps(document).decode()


def _as_line(document: dict[str, Json]) -> str:
    """`timestamp LEVEL source message`; whatever would move a terminal's cursor is shown, not sent."""
    metadata = document.get("metadata")
    source = (metadata.get("source") if isinstance(metadata, dict) else None) or document["source_id"]
    level = str(document["level"] or "-")
    colour = _COLOURS.get(level)
    padded = f"{level:5}"
    if colour and sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        padded = f"\x1b[{colour}m{padded}\x1b[0m"
    first, *more = str(document["message"]).splitlines() or [""]
    message = f"{first} [{len(more)} more line{'s' if len(more) > 1 else ''}]" if more else first
    return f"{document['timestamp']} {padded} {printable(str(source))} {printable(message)}"


def _write(line: str) -> None:
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
