"""What receiving costs: syslog over loopback → decoded → spool (fsync) → read back → encoded as it is sent.

`python bench/receiving.py [--events N]` measures a whole agent in a process of its own, but for the bus: records are
dropped where Kafka's producer would take them. UDP is sent as fast as one process can; what the kernel dropped is said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final

from logintel import garbage, logs
from logintel.bus import Record
from logintel.hooks import load_plugins
from logintel.source import SourceContext
from logintel_agent.agent import Agent
from logintel_agent.dead_letters import LETTERS, DeadLetters, DeadLettersSection

#: Seconds without another event after which the rest counts as dropped.
_QUIET: Final = 3.0
_LINE: Final = (
    "<{pri}>Oct 11 22:14:{second:02d} mymachine sshd[{n}]: Failed password for invalid user u{n} from 10.1.2.3 port {n}"
)


class Nowhere:
    """A bus that acknowledges everything at once."""

    async def place(self, stream: bytes) -> int | None:  # noqa: ARG002 - see Producer
        return 0

    async def send(self, records: Sequence[Record], partition: int | None = None) -> Awaitable[None]:  # noqa: ARG002
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def _receive(address: str, events: int, directory: Path) -> dict[str, float]:
    """Run an agent until it has delivered so many events, or nothing comes any more."""
    plugins = load_plugins()
    config: Any = plugins.sources["application"].Config
    source = config(name="net", type="application", listen=(address,))
    letters = DeadLetters(directory / "worker-0" / LETTERS, DeadLettersSection(), str)
    agent = Agent(directory, "bench", [source], plugins, Nowhere(), SourceContext(formats=plugins.formats), letters)
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    started = grown = time.monotonic()
    cpu, sent = time.process_time(), 0
    while agent.events_sent < events and (not sent or time.monotonic() - grown < _QUIET):
        await asyncio.sleep(0.02)
        if agent.events_sent > sent:
            if not sent:
                started, cpu = time.monotonic(), time.process_time()
            sent, grown = agent.events_sent, time.monotonic()
    spent = time.process_time() - cpu
    stop.set()
    await running
    return {"events": sent, "seconds": grown - started, "cpu": spent}


def _send(protocol: str, port: int, events: int, running: subprocess.Popen[bytes]) -> None:
    lines = [_LINE.format(pri=n % 192, second=n % 60, n=n).encode() for n in range(1, 10_001)]
    if protocol == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", port))
            for n in range(events):
                sender.send(lines[n % len(lines)])
        return
    block = b"".join(line + b"\n" for line in lines)
    with _connected(port, running) as sender:
        for _ in range(events // len(lines)):
            sender.sendall(block)


def _connected(port: int, running: subprocess.Popen[bytes]) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if running.poll() is not None:
                raise
            time.sleep(0.05)


def _measure(protocol: str, events: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        words = [sys.executable, __file__, "--serve", f"{protocol}://127.0.0.1:{port}", "--events", str(events)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=directory) as running:
            if protocol == "udp":
                time.sleep(3)  # there is nothing to see of a UDP listener
            _send(protocol, port, events, running)
            out, _ = running.communicate()
    got = json.loads(out)
    rate, each = got["events"] / got["seconds"], 1e6 * got["cpu"] / got["events"]
    return f"{protocol}: {rate:,.0f} events/s, {each:.1f} CPU µs an event, {events - got['events']:,.0f} dropped"


def main() -> None:
    """Measure TCP and UDP, or be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="a multiple of 10,000 (default: %(default)s)")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        logs.set_up("error", sys.stderr)
        garbage.collect_rarely()
        print(json.dumps(asyncio.run(_receive(args.serve, args.events, Path.cwd()))))
        return
    print(f"{args.events:,} events, {os.cpu_count()} CPUs")
    for protocol in ("tcp", "udp"):
        print(_measure(protocol, args.events), flush=True)


if __name__ == "__main__":
    main()
