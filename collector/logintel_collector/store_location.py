"""Which store a command reads (`--data`, `--config`, or the user's own by default), and how much of it it shows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from logintel.paths import default_data_dir
from logintel_collector.stores.sqlite_file import FILE_NAME

if TYPE_CHECKING:
    from logintel_collector.config import CollectorConfig, ElasticsearchConfig, PostgresConfig, StoresConfig


def add_location(parser: argparse.ArgumentParser) -> None:
    """The two arguments."""
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data directory of `logintel run` (default: ~/.local/state/logintel)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration that `logintel run` or `logintel collector` was given",
    )


def add_limit(parser: argparse.ArgumentParser) -> None:
    """`--limit`; args.limit is None for all."""
    parser.add_argument("--limit", type=_limit, default=20, metavar="N", help="most to show; 0: all (default: 20)")


def _limit(text: str) -> int | None:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, got {text!r}")
    return int(text) or None


def searched(args: argparse.Namespace) -> Path | ElasticsearchConfig:
    """Where events are: the embedded store's file, or Elasticsearch where the configuration names it.

    Raises Misconfigured.
    """
    stores = _stores(args)
    if stores is None:
        return _data(args) / FILE_NAME
    return stores.elasticsearch or stores.sqlite.path


def alerts_at(args: argparse.Namespace) -> Path | PostgresConfig:
    """Where sources and alerts are: the embedded store's file, or PostgreSQL where the configuration names it.

    Raises Misconfigured.
    """
    stores = _stores(args)
    if stores is None:
        return _data(args) / FILE_NAME
    return stores.postgres or stores.sqlite.path


def _data(args: argparse.Namespace) -> Path:
    data: Path | None = args.data
    return data or default_data_dir()


def _stores(args: argparse.Namespace) -> StoresConfig | None:
    if args.config is None:
        return None
    # Reading configuration takes longer than a search: only who names a file pays for it.
    from logintel.config.load import load  # noqa: PLC0415
    from logintel.config.whole import whole_model  # noqa: PLC0415

    return cast("CollectorConfig", load(whole_model(), args.config, _data(args))).stores
