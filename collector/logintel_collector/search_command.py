"""Search the indexed events, newest first.

QUERY is a Lucene query string (field:value, AND OR NOT, "a phrase", wildcards, ranges; words alone are looked for in
message) or Elasticsearch Query DSL when it begins with `{`. Rules understand the same queries. Searching while
`logintel run` writes is fine. With a configuration that names stores.elasticsearch, Elasticsearch is searched.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from logintel.event import Json
from logintel_collector.printable import printable
from logintel_collector.query import Query, QueryError, compile_dsl, compile_text, product_mapping
from logintel_collector.store_location import add_limit, add_location, searched
from logintel_collector.stores.sqlite_search import Search

if TYPE_CHECKING:
    from logintel_collector.config import ElasticsearchConfig

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
    where = searched(args)
    try:
        if isinstance(where, Path):
            return _embedded(args, where)
        return _elasticsearch(args, where)
    except QueryError as error:
        example = EXAMPLES.strip().splitlines()[0]
        print(f"logintel search: {error}; a query that works: {example}", file=sys.stderr)  # noqa: T201 - a command
        return _USAGE


def _embedded(args: argparse.Namespace, path: Path) -> int:
    query = _compiled(args.query)
    with Search(path) as search:
        return _shown(args, lambda: search.count(query), search.documents(query, args.limit))


def _elasticsearch(args: argparse.Namespace, config: ElasticsearchConfig) -> int:
    from logintel_collector.stores.elasticsearch_search import ElasticsearchSearch  # noqa: PLC0415 - loads its client

    query = _dsl(args.query)
    with ElasticsearchSearch(config) as search:
        try:
            return _shown(args, lambda: search.count(query), search.documents(query, args.limit))
        except QueryError:
            _compiled(args.query)  # says it better, where it refuses the query too
            raise


def _shown(args: argparse.Namespace, count: Callable[[], int], documents: Iterable[dict[str, Json]]) -> int:
    if args.count:
        found = count()
        _write(f'{{"count": {found}}}' if args.json else str(found))
        return 0
    show = _as_json if args.json else _as_line
    shown = 0
    for document in documents:
        _write(show(document))
        shown += 1
    if not shown and not args.json and sys.stderr.isatty():
        print("no event matches", file=sys.stderr)  # noqa: T201 - a command's output
    return 0


def _compiled(text: str) -> Query:
    mapping, now = product_mapping(), lambda: datetime.now(UTC)
    return compile_dsl(_parsed(text), mapping, now) if _is_dsl(text) else compile_text(text, mapping, now)


def _dsl(text: str) -> Json:
    """As Elasticsearch takes it."""
    if not _is_dsl(text):
        return {"query_string": {"query": text, "default_field": "message"}}
    parsed = _parsed(text)
    return parsed["query"] if isinstance(parsed, dict) and parsed.keys() == {"query"} else parsed


def _is_dsl(text: str) -> bool:
    return text.lstrip().startswith("{")


def _parsed(text: str) -> Json:
    try:
        parsed: Json = orjson.loads(os.fsencode(text))
    except ValueError as error:
        raise QueryError("query", f"is not JSON: {error}") from None
    return parsed


def _as_json(document: dict[str, Json]) -> str:
    return orjson.dumps(document).decode()


def _as_line(document: dict[str, Json]) -> str:
    """`timestamp LEVEL source message`; whatever would move a terminal's cursor is shown, not sent."""
    metadata = document.get("metadata")
    source = (metadata.get("source") if isinstance(metadata, dict) else None) or document.get("source_id")
    level = str(document.get("level") or "-")
    colour = _COLOURS.get(level)
    padded = f"{level:5}"
    if colour and sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        padded = f"\x1b[{colour}m{padded}\x1b[0m"
    first, *more = str(document.get("message", "")).splitlines() or [""]
    message = f"{first} [{len(more)} more line{'s' if len(more) > 1 else ''}]" if more else first
    return f"{document.get('timestamp')} {padded} {printable(str(source))} {printable(message)}"


def _write(line: str) -> None:
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
