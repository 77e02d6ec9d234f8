"""Which store a command reads: `--data DIR`, `--config FILE`, or the user's own by default."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

from logintel.config.load import load
from logintel.config.whole import whole_model
from logintel.paths import default_data_dir
from logintel_collector.config import CollectorConfig
from logintel_collector.stores.sqlite import FILE_NAME


def add_location(parser: argparse.ArgumentParser) -> None:
    """The two arguments."""
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data directory of `logintel run` (default: ~/.local/state/logintel)"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration that `logintel run` was given")


def located(args: argparse.Namespace) -> Path:
    """The store's file. Raises Misconfigured."""
    data: Path = args.data or default_data_dir()
    if args.config is None:
        return data / FILE_NAME
    return cast(CollectorConfig, load(whole_model(), args.config, data)).stores.sqlite.path
