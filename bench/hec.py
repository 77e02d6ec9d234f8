"""What an HTTP Event Collector costs: requests of 10 events over loopback → decoded → spool (fsync) → answered.

`python bench/hec.py [--seconds S] [--clients N]` runs a whole agent in a process of its own, but for the bus: records
are dropped where Kafka's producer would take them, after they were read back from the spool and encoded. Clients are
processes that keep their connections open and send one request at a time on each; every answer is waited for.
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
from pathlib import Path
from typing import Any, Final

import orjson
from receiving import Nowhere

from logintel import garbage, logs
from logintel.hooks import load_plugins
from logintel.source import SourceContext
from logintel_agent.agent import Agent
from logintel_agent.dead_letters import LETTERS, DeadLetters, DeadLettersSection

TOKEN: Final = "bench-0123456789"
#: Events of a request, and processes that send.
_EACH, _SENDERS = 10, 2


async def _collect(port: int, directory: Path) -> dict[str, float]:
    """Run an agent until its standard input is closed; its CPU time counts from the first event to the last."""
    plugins = load_plugins()
    config: Any = plugins.sources["splunk"].Config
    token = {"token": TOKEN, "name": "bench"}
    source = config(name="hec", type="splunk", listen=f"127.0.0.1:{port}", tokens=[token], spool={"max_bytes": "8GiB"})
    letters = DeadLetters(directory / "worker-0" / LETTERS, DeadLettersSection(), str)
    agent = Agent(directory, "bench", [source], plugins, Nowhere(), SourceContext(formats=plugins.formats), letters)
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    while not agent.events_sent:  # noqa: ASYNC110 - the agent tells nobody
        await asyncio.sleep(0.01)
    cpu = time.process_time()
    await asyncio.to_thread(sys.stdin.read)
    sent = -1
    while sent < agent.events_sent:
        sent = agent.events_sent
        await asyncio.sleep(0.5)
    spent = time.process_time() - cpu
    stop.set()
    await running
    return {"events": sent, "cpu": spent}


def _body(number: int) -> bytes:
    events = (
        {
            "time": 1_795_385_489 + number / 1000,
            "host": "app01",
            "source": "shop",
            "sourcetype": "shop:log",
            "event": f"2026-11-22 10:00:00,123 INFO [worker-{n}] shop.Orders - order {number}{n} placed in {n} ms",
        }
        for n in range(_EACH)
    )
    return b"".join(map(orjson.dumps, events))


async def _client(port: int, deadline: float, requests: list[bytes]) -> int:
    """Requests that were answered 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    while time.monotonic() < deadline:
        writer.write(requests[answered % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"answered {head!r}")
        answered += 1
    writer.close()
    return answered


async def _send(port: int, seconds: float, clients: int) -> int:
    """What one process sends; each request is written as one packet."""
    head = f"POST /services/collector/event HTTP/1.1\r\nHost: x\r\nAuthorization: Splunk {TOKEN}\r\nContent-Length: "
    requests = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in map(_body, range(200))]
    deadline = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_client(port, deadline, requests) for _ in range(clients))))


def _listens(port: int, running: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if running.poll() is not None:
                raise
            time.sleep(0.05)
        else:
            return


def _measure(seconds: float, clients: int) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pipe = subprocess.PIPE
    with tempfile.TemporaryDirectory() as directory:
        words = [sys.executable, __file__, "--port", str(port)]
        with subprocess.Popen([*words, "--serve"], stdin=pipe, stdout=pipe, cwd=directory) as running:
            _listens(port, running)
            sending = [*words, "--send", "--seconds", str(seconds), "--clients", str(clients // _SENDERS)]
            started = time.monotonic()
            senders = [subprocess.Popen(sending, stdout=pipe) for _ in range(_SENDERS)]
            answered = sum(int(sender.communicate()[0]) for sender in senders)
            took = min(time.monotonic() - started, seconds)
            got = json.loads(running.communicate()[0])
    each = 1e6 * got["cpu"] / got["events"]
    kept = f"{got['events']:,.0f} events kept and sent on, {answered * _EACH:,.0f} answered"
    return (
        f"{clients} clients: {answered / took:,.0f} requests/s of {_EACH} events, {each:.1f} CPU µs an event ({kept})"
    )


def main() -> None:
    """Measure with few clients and with many, or be one of the processes that this takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: %(default)s)")
    parser.add_argument("--clients", type=int, help="connections (default: 8, then 64)")
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        logs.set_up("error", sys.stderr)
        garbage.collect_rarely()
        print(json.dumps(asyncio.run(_collect(args.port, Path.cwd()))))
        return
    if args.send:
        print(asyncio.run(_send(args.port, args.seconds, args.clients)))
        return
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    for clients in [args.clients] if args.clients else [8, 64]:
        print(_measure(args.seconds, clients), flush=True)


if __name__ == "__main__":
    main()
