"""Show what was counted: events, bytes, errors and latency of each minute or hour, oldest first.

With a configuration that names stores.elasticsearch, what the collectors that use it have counted. A minute is there
half a minute after its end, an hour five minutes after; events that come later correct it. --json prints the metrics as
they are stored, one a line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from logintel.duration import Duration
from logintel_collector.analytics.point import ALL, DIMENSIONS, PERIODS, Point, moment
from logintel_collector.printable import printable
from logintel_collector.store_location import add_location, searched
from logintel_collector.stores.errors import explained
from logintel_collector.stores.sqlite_analytics import points
from logintel_collector.stores.sqlite_file import open_reader

if TYPE_CHECKING:
    from logintel_collector.config import ElasticsearchConfig

EXAMPLES: Final = """
logintel analytics
logintel analytics --by level --last 1d --period hour
logintel analytics --by host --json | jq 'select(.metric_name == "log_errors")'
"""
_BY: Final = {"source": "source_id", **{name: name for name in DIMENSIONS[1:]}}
_DATE: Final = 20
#: Seconds of which milliseconds say nothing.
_LONG: Final = 100.0
#: Title, width, and the text of a metric.
_COLUMNS: Final[tuple[tuple[str, str, Callable[[float], str]], ...]] = (
    ("events", "log_events", lambda value: f"{value:,.0f}"),
    ("bytes", "log_size_bytes", lambda value: f"{value:,.0f}"),
    ("errors", "log_errors", lambda value: f"{value:,.0f}"),
    ("error %", "log_error_ratio", lambda value: f"{100 * value:.1f}"),
    ("p50 s", "log_latency_seconds_p50", lambda value: f"{value:,.3f}" if value < _LONG else f"{value:,.0f}"),
    ("p95 s", "log_latency_seconds_p95", lambda value: f"{value:,.3f}" if value < _LONG else f"{value:,.0f}"),
    ("outliers", "log_outliers", lambda value: f"{value:,.0f}"),
)
_WIDTH: Final = 14


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which of it, and where it is."""
    add_location(parser)
    parser.add_argument("--by", choices=tuple(_BY), help="one line for each (default: one for all events)")
    parser.add_argument("--period", choices=tuple(PERIODS), default="minute", help="(default: %(default)s)")
    parser.add_argument("--last", type=_duration, default=Duration("1h"), help="how far back (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the metrics as they are stored, one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """0: done, also when there is nothing; 1: no data."""
    where = searched(args)
    dimension = _BY[args.by] if args.by else ALL
    since = moment(max(int(datetime.now(UTC).timestamp() - args.last), 0))
    of = args.period, dimension, since
    shown = 0
    for point in _embedded(where, *of) if isinstance(where, Path) else _elasticsearch(where, *of):
        if args.json:
            for _, document in point.documents():
                sys.stdout.buffer.write(orjson.dumps(document) + b"\n")
        else:
            sys.stdout.write(_line(point) if shown else _head(args.by) + _line(point))
        shown += 1
    if not shown and not args.json:
        sys.stderr.write(f"nothing was counted in the last {args.last}: look further back, as with --last 30d\n")
    return 0


def _duration(text: str) -> Duration:
    try:
        return Duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _embedded(path: Path, period: Any, dimension: str, since: str) -> Iterator[Point]:
    with explained(path), closing(open_reader(path)) as connection:
        yield from points(connection, period, dimension, since)


def _elasticsearch(config: ElasticsearchConfig, period: Any, dimension: str, since: str) -> Iterable[Point]:
    from logintel_collector.stores.elasticsearch_metrics import stored_points  # noqa: PLC0415 - loads its client

    return stored_points(config, period, dimension, since)


def _head(by: str | None) -> str:
    titles = "".join(f"{title:>{_WIDTH}}" for title, _, _ in _COLUMNS)
    return f"{'':{_DATE}}{titles}{f'  {by}' if by else ''}\n"


def _line(point: Point) -> str:
    cells = (shown(point.metrics[name]) if name in point.metrics else "-" for _, name, shown in _COLUMNS)
    name = f"  {printable(point.value)}" if point.dimension else ""
    return moment(point.start) + "".join(f"{cell:>{_WIDTH}}" for cell in cells) + name + "\n"
