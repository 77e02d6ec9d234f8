"""Explain what becomes of a line: format, processing, enrichment, document, rules; each field with its origin.

Nothing is stored, sent or learned. Without --config the line is read as source type `application` would read it, and
enriched as the collector does by default. Agent and collector may have a file each: --config is given for both then.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from logintel.config.load import load
from logintel.config.problem import Misconfigured, Problem, nearest
from logintel.config.whole import whole_model
from logintel.refused import Refused

if TYPE_CHECKING:
    from logintel.hooks import Plugins
    from logintel.inputs.files import TextFilesConfig
    from logintel_embedded.explaining import BothEnds, Explanation

EXAMPLES: Final = """
    logintel explain '2026-03-02 08:00:01 ERROR shop.Orders - no stock'
    tail -n 5 /var/log/nginx/access.log | logintel explain -
    logintel explain --config agent.yaml --config collector.yaml --source shop 'pasted line'
"""
#: Keys by which a file is the collector's.
_COLLECTORS: Final = frozenset(("enrich", "rules_dir", "stores", "roles", "notify"))
#: Characters of a value that a person is shown.
_SHOWN: Final = 80


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "line", nargs="+", metavar="LINE", help="the line, or the lines of one record; - is standard input"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        action="append",
        default=[],
        help="agent.yaml, collector.yaml or both in one; may repeat",
    )
    parser.add_argument("--source", metavar="NAME", help="the source of the configuration that the line is of")
    parser.add_argument("--format", metavar="NAME", default="auto", help="without --config: the format (default: auto)")
    parser.add_argument(
        "--timezone", metavar="TZ", default="local", help="without --config: zone of stamps that name none"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object an event")


def run(args: argparse.Namespace) -> int:
    """0: explained; whatever becomes of the line."""
    from logintel.hooks import load_plugins  # noqa: PLC0415 - only who explains needs both ends; `--help` does not
    from logintel_embedded.explaining import Explainer  # noqa: PLC0415 - as above

    plugins = load_plugins()
    agent, collector = _configs(args.config)
    source = _source(agent, args, plugins)
    explainer = Explainer(agent, collector, source, plugins, datetime.now(UTC))
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape") if args.line == ["-"] else "\n".join(args.line)
    for number, found in enumerate(explainer.explain(text)):
        if args.json:
            sys.stdout.buffer.write(orjson.dumps(asdict(found)) + b"\n")
        else:
            lines = _shown(found, source)
            sys.stdout.write("\n" * bool(number) + "".join(f"{line}\n" for line in lines))
    return 0


def _configs(files: Sequence[str]) -> tuple[BothEnds, BothEnds]:
    """The agent's and the collector's configuration."""
    loaded = [cast("BothEnds", load(whole_model(), file)) for file in files or (None,)]
    agents = [config for config in loaded if config.sources]
    collectors = [config for config in loaded if config.model_fields_set & _COLLECTORS]
    return (agents or loaded)[0], (collectors or loaded)[0]


def _source(agent: BothEnds, args: argparse.Namespace, plugins: Plugins) -> TextFilesConfig:
    from logintel.inputs.files import FileInputConfig, TextFilesConfig  # noqa: PLC0415 - as in `run`

    names = [source.name for source in agent.sources]
    if args.source is None and not names:
        name = plugins.formats.create(args.format).name if args.format in plugins.formats else None
        if name is None:
            raise Refused(f"unknown format {args.format!r}{nearest(args.format, plugins.formats)}")
        return FileInputConfig(
            name="explain", type="application", paths=("-",), format=args.format, timezone=args.timezone
        )
    wanted = args.source or (names[0] if len(names) == 1 else None)
    found = next((source for source in agent.sources if source.name == wanted), None)
    if found is None:
        say = f"no source is named {wanted!r}{nearest(wanted, names)}" if wanted else f"name one: {', '.join(names)}"
        raise Misconfigured([Problem("", 0, "--source", say)])
    if not isinstance(found, TextFilesConfig):
        raise Refused(f"source {found.name} of type {found.type} is not read as lines: there is no line to explain")
    return found


def _shown(found: Explanation, source: TextFilesConfig) -> Iterator[str]:
    first, last = found.lines
    yield f"record    line {first}" if first == last else f"record    lines {first} to {last}"
    yield f"source    {source.name}, type {source.type}"
    yield f"format    {found.format}"
    if found.dropped:
        yield f"dropped   {found.dropped}"
        return
    yield f"index     of {found.day}" if found.day else "index     of outliers: its date is too far from today"
    yield "document"
    rows = [(path, _text(_at(found.document, path)), origin) for path, origin in found.origins.items()]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
    for path, value, origin in rows:
        yield f"  {path:{widths[0]}}  {value:{widths[1]}}  {origin}".rstrip()
    for enricher in found.failed:
        yield f"failed    enricher {enricher}: the event goes on without it, tagged _unenriched"
    for name, matches in found.rules.items():
        yield f"rule      {name}: {'matches' if matches else 'does not match'}"


def _at(document: dict[str, Any], path: str) -> Any:
    section, _, name = path.partition(".")
    return document[section][name] if name else document[section]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
