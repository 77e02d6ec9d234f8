"""The bench: writers, an agent, a broker and their faults at once; then the verdicts."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from faults.agent_process import AgentProcess
from faults.arrivals import Arrivals
from faults.broker import Broker
from faults.collector_process import CollectorProcess
from faults.deck import Deck
from faults.file_writer import FileSurroundings, FileWriter, Plan
from faults.history import History
from faults.small_disk import small_disk
from faults.tcp_writer import TcpWriter
from faults.verdict import Verdict
from logintel.bus.topics import INGESTION, PROCESSING
from logintel_devstack.ports import free_port

#: Seconds after the last fault within which everything written has arrived, without a restart.
_CATCHES_UP: Final = 180.0
#: MiB of the agent's own disk, where it has one.
_DISK: Final = 48
#: Name of each file's writer and the encoding of its file.
_FILES: Final = {"plain": "utf-8", "plain2": "utf-8", "multi": "utf-8", "wide": "utf-16", "latin": "latin-1"}


@dataclass(frozen=True)
class Course:
    """How a run goes. All in seconds but `lines`, `seed` and the number of the collector's `kills`.

    pauses   least and most between two faults of the agent, and of Kafka
    lasting  least and most that a fault lasts
    rotation  average between two rotations of a file
    workers   processes of the agent
    """

    lines: int
    seed: int
    seconds: float
    pauses: tuple[float, float]
    lasting: tuple[float, float]
    rotation: float
    kills: int
    workers: int

    @property
    def lines_each(self) -> int:
        """Lines of each writer."""
        return -(-self.lines // (len(_FILES) + 1))


class Outcome(NamedTuple):
    """What came of a run. `seconds`: while there were faults; `caught_up`: in time and without a restart."""

    sent: Verdict
    processed: Verdict
    history: History
    seconds: float
    caught_up: bool
    dead_letters: int
    errors: int

    @property
    def clean(self) -> bool:
        """Whether the promise was held."""
        held = self.sent.clean and self.processed.clean and not self.processed.repeated
        return held and self.caught_up and not self.dead_letters and not self.errors

    def report(self) -> str:
        """For a person."""
        kinds = [f"{count:5} {kind}" for kind, count in sorted(self.history.counts().items())]
        return "\n".join(
            [
                f"{self.seconds:.0f} s of faults:",
                *kinds,
                self.sent.report(self.history),
                self.processed.report(self.history),
                f"caught up without a restart: {'yes' if self.caught_up else 'NO'}",
                f"dead letters: {self.dead_letters}, errors of our own: {self.errors}",
            ]
        )


def run(directory: Path, course: Course) -> Outcome:
    """One run in `directory`, which is empty. Raises EndedByItself, and what a thread of the bench raises."""
    history = History(directory / "faults.log")
    broker = Broker(directory / "kafka", random.Random(f"{course.seed} kafka"), history, course.lasting)
    broker.start()
    try:
        with small_disk(directory / "data", _DISK) as own_disk:
            return _judged(directory, course, history, broker, own_disk=own_disk)
    finally:
        broker.stop()


def _judged(directory: Path, course: Course, history: History, broker: Broker, *, own_disk: bool) -> Outcome:
    port = free_port(())
    _configure(directory, broker, port, course.workers)
    collector = CollectorProcess(directory / "collector.yaml", random.Random(f"{course.seed} collector"), history)
    collector.set_up()
    dice = random.Random(f"{course.seed} agent")
    agent = AgentProcess(directory, port, dice, history, course.lasting)
    sent, processed = Arrivals(broker.direct, INGESTION.name), Arrivals(broker.direct, PROCESSING.name)
    decks = [
        Deck(agent.cards(own_disk=own_disk), dice),
        Deck(broker.cards(), random.Random(f"{course.seed} deck of kafka")),
    ]
    over = threading.Event()
    writers: list[FileWriter | TcpWriter] = [
        *_file_writers(directory / "logs", course, FileSurroundings(history, sent.has, over)),
        _tcp_writer(port, course, history, agent, over),
    ]
    agent.start()
    try:
        all_read = threading.Event()
        following = threading.Thread(target=sent.follow, args=(all_read,), daemon=True)
        following.start()
        _play(writers, decks, course, over)
        broker.heal()
        caught_up = _until(lambda: _complete(history, sent), _CATCHES_UP)
        seconds = history.now
        all_read.set()
        following.join()
        agent.finish()
    finally:
        agent.kill()
    sent.read_to_end()
    summary = collector.finish(course.kills)
    processed.read_to_end()
    letters = (directory / "data").rglob("*.letters")
    return Outcome(
        Verdict.of(history, sent),
        Verdict.of(history, processed),
        history,
        seconds,
        caught_up,
        summary["dead_letters"] + sum(path.read_bytes().count(b"\n") for path in letters),
        sum(_unexpected((directory / f"{name}.log").read_text()) for name in ("agent", "collector")),
    )


def _unexpected(log: str) -> int:
    """Lines of a program's log that tell of its own errors."""
    return sum("Traceback" in line or "uncaught_exception" in line for line in log.splitlines())


def _configure(directory: Path, broker: Broker, port: int, workers: int) -> None:
    """The files of the agent and of the collector."""
    logs = directory / "logs"
    logs.mkdir()
    sources: list[dict[str, Any]] = [
        {"name": name, "type": "application", "paths": [f"{logs}/{name}.log*"]} for name in _FILES
    ]
    by_name = {source["name"]: source for source in sources}
    by_name["latin"]["encoding"] = _FILES["latin"]
    by_name["multi"]["record_start"] = r"\d{4}-"
    sources.append({"name": "net", "type": "application", "listen": [f"tcp://127.0.0.1:{port}"]})
    through = {"kafka": {"bootstrap_servers": [broker.address]}}
    direct = {"kafka": {"bootstrap_servers": list(broker.direct.bootstrap_servers)}}
    (directory / "agent.yaml").write_text(
        json.dumps({"bus": through, "agent": {"workers": workers}, "sources": sources})
    )
    (directory / "collector.yaml").write_text(json.dumps({"bus": direct, "roles": ["processor"]}))


def _file_writers(logs: Path, course: Course, surroundings: FileSurroundings) -> list[FileWriter]:
    return [
        FileWriter(
            Plan(name, course.lines_each, course.seconds, course.rotation, encoding),
            logs / f"{name}.log",
            random.Random(f"{course.seed} {name}"),
            surroundings,
        )
        for name, encoding in _FILES.items()
    ]


def _tcp_writer(port: int, course: Course, history: History, agent: AgentProcess, over: threading.Event) -> TcpWriter:
    plan = Plan("net", course.lines_each, course.seconds, course.rotation)
    return TcpWriter(plan, port, random.Random(f"{course.seed} net"), history, lambda: agent.life, over)


def _play(
    writers: Sequence[FileWriter | TcpWriter], decks: Sequence[Deck], course: Course, over: threading.Event
) -> None:
    """Writers against faults for the time of the course, then until all is written. Raises what one of them raises."""
    end_faults = threading.Event()
    with ThreadPoolExecutor(len(writers) + len(decks)) as pool:
        playing = [pool.submit(deck.play, end_faults, course.pauses) for deck in decks]
        writing = [pool.submit(writer.run) for writer in writers]
        _until(lambda: all(one.done() for one in writing) or any(one.done() for one in playing), course.seconds)
        end_faults.set()
        wait(playing)
        if all(one.exception() is None for one in playing):
            wait(writing)
        over.set()
    for one in (*playing, *writing):
        one.result()


def _complete(history: History, sent: Arrivals) -> bool:
    wanted = Counter[str]()
    for burst in list(history.bursts):
        wanted[burst.writer] += (burst.last - burst.first + 1) * burst.confirmed
    return all(len(sent.first.get(writer, ())) >= count for writer, count in wanted.items())


def _until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait for it; False when it took longer."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
