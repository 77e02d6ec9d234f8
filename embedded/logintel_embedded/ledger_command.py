"""Show what became of every event, and where one is missing: on this host, or at the collector.

With the configuration of an agent: read = acknowledged + dropped + dead letters + waiting, of each stream that this
host's agent has read. Where `logintel run` does all, also whether its file holds what was acknowledged. With the
configuration of a collector: what all agents have sent against what processor, indexer and recorder did with it; the
first stage with a gap is named, with the stream, the place and how many events. Nothing is changed. When it does not
add up, the exit code is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from logintel.paths import default_data_dir
from logintel_embedded.letter_boxes import WholeConfig, configured, is_collectors_alone

EXAMPLES: Final = """
logintel ledger --config /etc/logintel/agent.yaml
logintel ledger --source shop --hours
logintel ledger --config /etc/logintel/collector.yaml
logintel ledger --config /etc/logintel/collector.yaml --json | jq '.missing'
"""
#: Seconds that each stage of a collector has to pass what is on its way, by default.
_PATIENCE: Final = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", metavar="FILE", help="YAML with the keys of agent.yaml, collector.yaml or both")
    parser.add_argument("--data", metavar="DIR", type=Path, help="where state is kept (default: %(default)s)")
    parser.add_argument("--source", metavar="NAME", help="on a host: only this source")
    parser.add_argument("--stream", metavar="ID", help="on a host: only this stream, by name or beginning of its id")
    parser.add_argument("--hours", action="store_true", help="on a host: each hour apart (UTC, of the outcome)")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=_PATIENCE,
        help="at the collector: how long each stage may take to pass what is on its way (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="all of it as one JSON object")
    parser.set_defaults(data=default_data_dir())


def run(args: argparse.Namespace) -> int:
    """0: it adds up; 1: it does not, or there is no ledger."""
    config = configured(args.config, args.data.absolute())
    collectors = is_collectors_alone(config)
    whole, lines, faults = asyncio.run(_collector(config, args.wait)) if collectors else _host(config, args)
    if args.json:
        sys.stdout.buffer.write(orjson.dumps(whole) + b"\n")
    else:
        sys.stdout.write("\n".join(lines) + "\n")
    for fault in faults:
        sys.stderr.write(f"logintel: {fault}\n")
    return 1 if faults else 0


def _host(config: WholeConfig, args: argparse.Namespace) -> tuple[dict[str, Any], list[str], list[str]]:
    from logintel_agent.ledger_report import Report  # noqa: PLC0415 - a collector needs none of it

    report = Report(config.agent.data_dir, args)
    whole, lines, faults = report.as_json(), report.lines(), report.faults()
    if config.bus.kafka is None and config.stores.sqlite.path.exists():
        from logintel_embedded.stored import compared  # noqa: PLC0415 - as above

        stored = compared(config, report.accounts)
        whole["stored"] = stored.as_json()
        lines.append(stored.line())
        faults += stored.faults()
    return whole, lines, faults


async def _collector(config: WholeConfig, patience: float) -> tuple[dict[str, Any], list[str], list[str]]:
    from logintel_collector.closing import gather, report  # noqa: PLC0415 - loads the servers' clients

    assert config.bus.kafka is not None
    closed = await gather.closed(config, config.bus.kafka, patience)
    missing = closed.closing.missing
    faults = [f"events are missing, first at stage {missing[0].stage}"] if missing else []
    return report.as_json(closed), list(report.lines(closed)), faults
