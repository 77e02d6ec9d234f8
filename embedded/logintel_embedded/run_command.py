"""Collect, index and watch logs in one process, with no server.

Reads the given files, directories and quoted globs, or what a configuration names, and follows them through rotation
until stopped (Ctrl-C) or, with --once, until everything is read, indexed and evaluated. Started again, it goes on
where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import glob
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from logintel import garbage, logs
from logintel.config.load import load
from logintel.config.problem import Misconfigured, Problem
from logintel.hooks import Plugins, load_plugins
from logintel.paths import default_data_dir
from logintel.refused import Refused
from logintel.source import SourceConfig, SourceContext
from logintel_embedded.config import EmbeddedConfig
from logintel_embedded.report import Progress, Screen, lines, summary
from logintel_embedded.runner import Embedded

EXAMPLES: Final = """
    logintel run /var/log                     # watch every log file under a directory
    logintel run '/var/log/**/*.log' --once   # read what is there, print what was found, end
    ./program 2>&1 | logintel run -           # what a program prints, until it ends
    logintel run --config logintel.yaml       # sources, rules and notifications from a file
"""
#: Names of the sources that read the paths of the command line and what is piped to it.
PATHS_SOURCE: Final = "files"
STDIN_SOURCE: Final = "stdin"
#: The path that stands for the standard input.
STDIN: Final = "-"
#: Seconds between two looks of the progress line.
_REFRESH: Final = 0.2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="file, directory or quoted glob to read; - is the standard input"
    )
    parser.add_argument("--config", metavar="FILE", help="YAML with the keys of agent.yaml and collector.yaml")
    parser.add_argument("--data", metavar="DIR", type=Path, help="where everything is kept (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="end when all is read, indexed and evaluated")
    parser.add_argument("--json", action="store_true", help="print one JSON object with the summary, last")
    parser.set_defaults(data=default_data_dir())


def run(args: argparse.Namespace) -> int:
    """Run; 1 when something could not be read."""
    data: Path = args.data.absolute()
    plugins = load_plugins()
    config = _config(args, data, plugins)
    progress = Progress(sys.stderr)
    logs.set_up("warning", progress)
    embedded = Embedded(config, data, plugins, SourceContext())
    problems = embedded.tally.problems

    def say(text: str) -> None:
        progress.clear()
        print(f"logintel: {text}", file=sys.stderr)  # noqa: T201 - the command's way of speaking

    def report(text: str) -> None:
        if text not in problems:
            problems.append(text)
            say(text)

    embedded.context = SourceContext(once=args.once, formats=plugins.formats, own=str(data), report=report, notice=say)
    if progress.isatty():
        embedded.log = Screen(progress, quiet=args.once)
    garbage.collect_rarely()
    seconds = asyncio.run(_run(embedded, progress))
    if args.json:
        sys.stdout.buffer.write(orjson.dumps(summary(embedded.tally, seconds, embedded.total_indexed)) + b"\n")
    else:
        shown = args.data
        for line in lines(embedded.tally, seconds, embedded.total_indexed, shown, config.stores.sqlite.path):
            print(line)  # noqa: T201 - the command's output
    return 1 if problems else 0


def _config(args: argparse.Namespace, data: Path, plugins: Plugins) -> EmbeddedConfig:
    """What the file says, and a source for the paths of the command line."""
    config = load(EmbeddedConfig, args.config, data)
    added = [_argument_source(name, keys, config, plugins) for name, keys in _sources(args.paths)]
    config = config.model_copy(update={"sources": (*config.sources, *added)})
    if not config.sources:
        raise Misconfigured(
            [Problem("", 0, "", "nothing to read: name files, as in `logintel run /var/log`, or --config FILE")]
        )
    return config


def _sources(arguments: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The sources that the paths of the command line stand for: their names and keys."""
    if STDIN in arguments:
        yield STDIN_SOURCE, {"stdin": True}
    paths = [path for path in arguments if path != STDIN]
    if paths:
        _refuse_if_all_missing(paths)
        yield PATHS_SOURCE, {"paths": tuple(map(_absolute, paths))}


def _argument_source(name: str, keys: dict[str, Any], config: EmbeddedConfig, plugins: Plugins) -> SourceConfig:
    if any(source.name == name for source in config.sources):
        raise Misconfigured([Problem("", 0, "", f"paths cannot be added: a source is already named {name!r}")])
    if "stdin" in keys and any(getattr(source, "stdin", False) for source in config.sources):
        raise Misconfigured([Problem("", 0, "", "`-` cannot be added: a source reads the standard input already")])
    application: Any = plugins.sources["application"].Config
    made: SourceConfig = application(name=name, type="application", **keys)
    return made


def _absolute(path: str) -> str:
    """The path from the root, so that a later run from another directory means the same file."""
    return str(Path.cwd() / Path(path).expanduser())


def _refuse_if_all_missing(paths: Sequence[str]) -> None:
    missing = [path for path in paths if not glob.has_magic(path) and not Path(path).expanduser().exists()]
    if len(missing) == len(paths):
        raise Refused(f"{', '.join(missing)}: no such file or directory: check the spelling, or quote a glob")


async def _run(embedded: Embedded, progress: Progress) -> float:
    """Run until the end or a signal; the seconds it took. A second signal ends it at once."""
    loop = asyncio.get_running_loop()
    logs.watch(loop)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _on_signal, stop, loop, number)
    started = time.monotonic()
    showing = asyncio.create_task(_show(embedded, progress))
    try:
        await embedded.run(stop)
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        progress.clear()
    return time.monotonic() - started


def _on_signal(stop: asyncio.Event, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    stop.set()
    loop.remove_signal_handler(number)


async def _show(embedded: Embedded, progress: Progress) -> None:
    while True:
        progress.show(embedded.sent, embedded.tally)
        await asyncio.sleep(_REFRESH)
