"""Collect logs on this host and send them to Kafka.

`logintel agent run --config agent.yaml` follows what the configuration names until stopped (Ctrl-C, SIGTERM); with
--once it ends when everything is read and Kafka has it. Started again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import orjson

from logintel import garbage, logs
from logintel.bus.kafka_producer import KafkaProducer
from logintel.config.load import load
from logintel.config.problem import Misconfigured, Problem
from logintel.config.version import config_version
from logintel.hooks import load_plugins
from logintel.locking import DirectoryLock, DirectoryLocked
from logintel.paths import default_data_dir
from logintel.refused import Refused
from logintel.source import SourceContext
from logintel_agent.agent import Agent
from logintel_agent.config import AgentConfig
from logintel_agent.dead_letters import LETTERS, DeadLetters

EXAMPLES: Final = """
    logintel agent run --config /etc/logintel/agent.yaml
    logintel agent run --config agent.yaml --once --json    # send what is there, print what was sent, end
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=["run"], help="run: collect and send")
    parser.add_argument("--config", metavar="FILE", required=True, help="YAML with the keys of agent.yaml")
    parser.add_argument("--data", metavar="DIR", type=Path, help="where state is kept (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="end when all is read and Kafka has it")
    parser.add_argument("--json", action="store_true", help="print one JSON object with the summary, last")
    parser.set_defaults(data=default_data_dir())


def run(args: argparse.Namespace) -> int:
    """Run; 1 when something could not be read."""
    data: Path = args.data.absolute()
    plugins = load_plugins()
    config = load(AgentConfig, args.config, data)
    if config.bus.kafka is None:
        message = "is missing: the agent sends to Kafka (to collect and store in one process, `logintel run`)"
        raise Misconfigured([Problem(args.config, 0, "bus.kafka", message)])
    logs.set_up("info", sys.stderr)
    problems: list[str] = []

    def report(text: str) -> None:
        if text not in problems:
            problems.append(text)
            print(f"logintel: {text}", file=sys.stderr)  # noqa: T201 - the command's way of speaking

    directory = config.agent.data_dir
    context = SourceContext(once=args.once, formats=plugins.formats, own=str(directory), report=report)
    letters = DeadLetters(directory / "worker-0" / LETTERS, config.agent.dead_letters, config_version(config))
    producer_config = config.bus.kafka

    async def work() -> dict[str, Any]:
        producer = KafkaProducer(producer_config, letters.keep)
        redaction = config.agent.redaction
        agent = Agent(directory, config.installation, config.sources, plugins, producer, context, letters, redaction)
        try:
            await agent.run(_stop_on_signal())
        finally:
            await producer.close()
        return {
            "events_sent": agent.events_sent,
            "dropped": dict(agent.dropped),
            "dead_letters": letters.count,
        }

    garbage.collect_rarely()
    lock = _locked(directory)
    started = time.monotonic()
    try:
        summary = asyncio.run(work())
    finally:
        lock.release()
    summary |= {"seconds": round(time.monotonic() - started, 3), "problems": problems}
    if args.json:
        sys.stdout.buffer.write(orjson.dumps(summary) + b"\n")
    elif args.once:
        print(f"{summary['events_sent']} events sent in {summary['seconds']} s")  # noqa: T201 - the command's output
    return 1 if problems else 0


def _locked(directory: Path) -> DirectoryLock:
    try:
        return DirectoryLock(directory)
    except DirectoryLocked as error:
        raise Refused(f"{error} with --data or agent.data_dir") from error
    except OSError as error:
        raise Refused(f"data directory {directory}: {error.strerror}: name another one with --data") from error


def _stop_on_signal() -> asyncio.Event:
    """Set by SIGINT or SIGTERM; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    logs.watch(loop)
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    return stop
