"""The benchmark: file, agent, real Kafka, and rsyslog in turn on the same file; medians of interleaved rounds.

python bench/run.py [--kafka HOST:PORT] [--size 0.05] [--rounds 3] [--only W1,W2,W3]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import run_topics
import structlog
from measured import Cost
from rsyslog import Rsyslog
from servers import devstack
from spread import Spread
from workloads import WORKLOADS, Workload

from agent import Agent
from logintel.bus.topics import INGESTION, set_up
from logintel.config.shared import KafkaBusConfig

_FORM: Final = "{:<3} {:<9} {:>19} {:>28} {:>18} {:>13} {:>10}"
_HEAD: Final = _FORM.format("", "", "CPU s per million", "events/s", "MB/s", "peak MiB", "CPU ratio")


class Content(NamedTuple):
    """A workload as a file; `size` in bytes."""

    workload: Workload
    path: Path
    events: int
    size: int


class Peer(NamedTuple):
    """Who is measured on what, and what its runs cost."""

    name: str
    content: Content
    run: Callable[[Workload, Path, int], tuple[Cost, int]]
    costs: list[Cost]


def main() -> int:
    """Run it; 1 when an event was lost, doubled or changed."""
    args = _arguments()
    # That there is one broker is no news here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if args.kafka:
        return _bench(args, KafkaBusConfig(bootstrap_servers=(args.kafka,)), ours=False)
    with devstack(args.dir, ["kafka"]) as addresses:
        return _bench(args, KafkaBusConfig(bootstrap_servers=(addresses["kafka"],)), ours=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a Kafka that runs (default: a devstack in --dir)")
    parser.add_argument("--dir", type=Path, default=Path(".bench"), help="of the devstack (default: %(default)s)")
    parser.add_argument("--size", type=float, default=0.05, help="part of the full workloads (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--only", type=lambda text: text.split(","), default=names, metavar="W1,…")
    return parser.parse_args()


def _bench(args: argparse.Namespace, bus: KafkaBusConfig, *, ours: bool) -> int:
    asyncio.run(set_up(bus))
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="logintel-bench-") as scratch, _tidied(bus, ours=ours):
        peers = list(_peers(args, Path(scratch), bus))
        starts = _starts(Path(scratch), peers)
        for number in range(args.rounds):
            for peer in (*starts, *peers):
                wrong += _round(peer, number + 1)
                if ours and peer.name == Agent.name:
                    asyncio.run(run_topics.renew(bus))
    _print(peers)
    for start in starts:
        print(f"of one event, which is the start: {start.name} {_cpu(start).shown(1, 2)} CPU s, contained in the above")
    print(f"{wrong} events lost, doubled or changed")
    return 1 if wrong else 0


@contextmanager
def _tidied(bus: KafkaBusConfig, *, ours: bool) -> Iterator[None]:
    """Our Kafka is left empty; in somebody else's log-ingestion there may be what nobody has read yet."""
    try:
        yield
    finally:
        if ours:
            asyncio.run(run_topics.renew(bus))
        else:
            print(f"{INGESTION.name} keeps what the agent has sent for {INGESTION.days} days, unless you delete it")


def _peers(args: argparse.Namespace, scratch: Path, bus: KafkaBusConfig) -> Iterator[Peer]:
    agent, rsyslog = Agent(scratch, bus), Rsyslog(scratch, bus)
    for workload in WORKLOADS:
        if workload.name not in args.only:
            continue
        path, events = scratch / f"{workload.name}.log", max(100, int(workload.full * args.size))
        content = Content(workload, path, events, workload.write(path, events))
        print(f"{workload.name}: {events:,} events, {content.size / events:.1f} bytes on average", flush=True)
        yield Peer(agent.name, content, agent.run, [])
        reason = rsyslog.missing(workload)
        if reason is None:
            yield Peer(rsyslog.name, content, rsyslog.run, [])
        else:
            print(f"{workload.name}: rsyslog is left out: {reason}", flush=True)


def _starts(scratch: Path, peers: Sequence[Peer]) -> list[Peer]:
    """The same with a file of one event, once for each peer."""
    path = scratch / "one.log"
    first = [peer for peer in peers if peer.content.workload is peers[0].content.workload]
    size = first[0].content.workload.write(path, 1)
    return [peer._replace(content=Content(peer.content.workload, path, 1, size), costs=[]) for peer in first]


def _round(peer: Peer, number: int) -> int:
    workload, path, events, _size = peer.content
    cost, wrong = peer.run(workload, path, events)
    peer.costs.append(cost)
    what = f"round {number}: {workload.name} {peer.name}, {events:,} events"
    print(f"{what}: {cost.cpu:.2f} CPU s, {cost.seconds:.1f} s, {wrong} wrong", flush=True)
    return wrong


def _cpu(peer: Peer) -> Spread:
    return Spread.of(cost.cpu for cost in peer.costs)


def _print(peers: Sequence[Peer]) -> None:
    """Medians, with the least and the most of the rounds; the ratio to rsyslog of the same rounds."""
    print(_HEAD)
    cpu = {(peer.content.workload.name, peer.name): _cpu(peer) for peer in peers}
    for peer in peers:
        workload, _path, events, size = peer.content
        mine, other = cpu[workload.name, peer.name], cpu.get((workload.name, Rsyslog.name))
        print(
            _FORM.format(
                workload.name,
                peer.name,
                mine.shown(1e6 / events, 1),
                Spread.of(events / cost.seconds for cost in peer.costs).shown(1, 0),
                Spread.of(size / cost.seconds for cost in peer.costs).shown(1e-6, 1),
                Spread.of(cost.memory for cost in peer.costs).shown(1 / 1024**2, 0),
                f"{mine.median / other.median:.2f}" if other else "",
            )
        )


if __name__ == "__main__":
    sys.exit(main())
