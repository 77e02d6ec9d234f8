"""Try alert rules out before they run.

`logintel rules test` says which events each query matches, exactly as Elasticsearch would answer, without one. Rules
are lines of {"id", "query"} with Query DSL or {"id", "lucene"} with a query string (default_field, default_operator);
events are lines of {"_id", "_source"}, or documents themselves.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from logintel.refused import Refused
from logintel_collector.printable import printable

if TYPE_CHECKING:
    from logintel_collector.query import Mapping
    from logintel_collector.rules.trial import Verdict

EXAMPLES: Final = """
    logintel rules test --rules rules.ndjson --events events.ndjson
    logintel rules test --rules rules.ndjson --events events.ndjson --mapping index.json --json
    logintel rules test --rules rules.ndjson --events events.ndjson --now 2026-11-22T12:00:00Z
"""
#: Ids of events that a person is shown of each rule.
_SHOWN: Final = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """test."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="test")
    test = verbs.add_parser("test", help="which events each query matches")
    test.add_argument("--rules", type=Path, required=True, metavar="FILE", help="queries, one JSON object a line")
    test.add_argument("--events", type=Path, required=True, metavar="FILE", help="events, one JSON object a line")
    test.add_argument(
        "--mapping", type=Path, metavar="FILE", help="{settings, mappings} of the index; by default the product's own"
    )
    test.add_argument(
        "--now", type=_moment, metavar="TIME", help="what `now` means in dates (ISO 8601); by default now"
    )
    test.add_argument("--json", action="store_true", help="one JSON object a rule: {id, ids, total} or {id, error}")


def run(args: argparse.Namespace) -> int:
    """0: done, also where a query was refused."""
    from logintel_collector.rules import trial  # noqa: PLC0415 - `--help` needs no query compiler

    now = args.now or datetime.now(UTC)
    rules = trial.queries(args.rules, _mapping(args.mapping), lambda: now)
    verdicts = trial.tried(rules, trial.events(args.events))
    for verdict in verdicts:
        if args.json:
            sys.stdout.buffer.write(orjson.dumps(verdict.as_json()) + b"\n")
        else:
            sys.stdout.write(_line(verdict) + "\n")
    if not args.json:
        refused = sum(verdict.error is not None for verdict in verdicts)
        sys.stdout.write(f"{len(verdicts):,} rules, {refused:,} of them refused\n")
    return 0


def _line(verdict: Verdict) -> str:
    name = printable(verdict.id)
    if verdict.error is not None:
        return f"{name}: refused: {printable(verdict.error)}"
    more = f", … {len(verdict.ids) - _SHOWN:,} more" if len(verdict.ids) > _SHOWN else ""
    ids = f": {', '.join(map(printable, verdict.ids[:_SHOWN]))}{more}" if verdict.ids else ""
    return f"{name}: {len(verdict.ids):,} matched{ids}"


def _mapping(path: Path | None) -> Mapping:
    from logintel_collector.query import PRODUCT_MAPPING, mapping_from  # noqa: PLC0415 - as above

    if path is None:
        return mapping_from(PRODUCT_MAPPING)
    try:
        return mapping_from(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise Refused(f"{path}: expected {{settings, mappings}} as Elasticsearch has them: {error}") from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: expected a form such as 2026-11-22T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
