"""The bench: senders, collectors, three servers and their faults at once; then the verdict."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from faults.broker import Broker
from faults.deck import Deck
from faults.history import History

from collector_faults.collectors import Collectors
from collector_faults.findings import Findings
from collector_faults.herd import Herd
from collector_faults.index import Busy, Index
from collector_faults.judging import Judge
from collector_faults.members import Members
from collector_faults.senders import Plan, Senders
from collector_faults.surroundings import Surroundings, configure, hook
from collector_faults.tables import FewSessions, Tables
from collector_faults.verdict import Verdict
from logintel_devstack.elasticsearch import Elasticsearch
from logintel_devstack.postgres import Postgres

#: Seconds after the last fault in which nothing moves any more: then what is not stored never will be.
_STANDSTILL: Final = 180.0
_LOOK_EVERY: Final = 1.0
_WRITERS: Final = ("w0", "w1", "w2", "w3", "w4")
#: Roles that read a topic: what a last run finds for them was waiting.
_READERS: Final = ("processor", "indexer", "recorder", "alerter")


@dataclass(frozen=True)
class Course:
    """How a run goes: `events` of real lines in all, over `seconds`, and `poisons` of each kind.

    pauses   least and most seconds between two faults of each server, and of the collectors
    lasting  least and most seconds that a fault lasts
    restarts whether Elasticsearch and PostgreSQL themselves are killed and restarted
    """

    events: int
    seed: int
    seconds: float
    pauses: tuple[float, float]
    lasting: tuple[float, float]
    poisons: int
    restarts: bool

    @property
    def plan(self) -> Plan:
        """What is sent."""
        return Plan(_WRITERS, -(-self.events // len(_WRITERS)), self.seconds, self.poisons)


class Outcome(NamedTuple):
    """What came of a run. `seconds`: while there were faults; `waiting`: records that a last run read, whose offsets a rebalance kept from being committed.

    recovery  seconds from the end of the last fault until all was stored; None: it was not, without a restart
    herd      what the proxy counted while bulk requests were refused, and right after
    """

    verdict: Verdict
    history: History
    seconds: float
    recovery: float | None
    waiting: int
    errors: int
    herd: Herd

    @property
    def clean(self) -> bool:
        """Whether the promise was held."""
        return self.verdict.clean and self.recovery is not None and not self.errors

    def report(self) -> str:
        """For a person."""
        kinds = [f"{count:5} {kind}" for kind, count in sorted(self.history.counts().items())]
        recovery = "NOT WITHOUT A RESTART" if self.recovery is None else f"in {self.recovery:.0f} s"
        return "\n".join(
            [
                f"{self.seconds:.0f} s of faults:",
                *kinds,
                *self.verdict.report(self.history),
                f"caught up: {recovery}; read again by a last run: {self.waiting}; errors of our own: {self.errors}",
                self.herd.report(),
            ]
        )


def run(
    directory: Path, course: Course, elasticsearch: Elasticsearch | None = None, postgres: Postgres | None = None
) -> Outcome:
    """One run in `directory`, which is empty, on servers of its own where none are given. Raises EndedByItself."""
    history = History(directory / "faults.log")
    name = f"faults-{course.seed}-{int(time.time())}"
    documents, rows = (
        elasticsearch or Busy(directory / "elasticsearch"),
        postgres or FewSessions(directory / "postgres"),
    )
    servers = Surroundings(
        Broker(directory / "kafka", random.Random(f"{course.seed} kafka"), history, course.lasting),
        Index(documents, f"{name}-", random.Random(f"{course.seed} index"), history, course.lasting),
        Tables(rows, name, random.Random(f"{course.seed} tables"), history, course.lasting),
    )
    try:
        servers.start()
        return _judged(directory, course, history, servers, name)
    finally:
        servers.stop()
        if elasticsearch is None:
            documents.down()
        if postgres is None:
            rows.down()


def _judged(directory: Path, course: Course, history: History, servers: Surroundings, name: str) -> Outcome:
    with hook() as (url, told):
        config = configure(directory, servers, name, url)
        collectors = Collectors(config, random.Random(f"{course.seed} collectors"), history, course.lasting)
        collectors.set_up()
        members = Members(servers.broker.direct, name, random.Random(f"{course.seed} members"), history, course.lasting)
        decks = [
            Deck(cards, random.Random(f"{course.seed} deck {number}"))
            for number, cards in enumerate([collectors.cards(), members.cards(), *servers.cards(course.restarts)])
        ]
        judge = Judge(course.plan, history, servers, Findings(servers.broker.direct), told)
        collectors.start()
        try:
            _play(Senders(servers.broker.direct, course.plan, course.seed, history), decks, course)
            servers.heal()
            seconds = history.now
            caught_up = _caught_up(judge)
            recovery = history.now - seconds if caught_up else None
            collectors.stop()
        finally:
            collectors.kill()
        left = collectors.finish()
        verdict = judge.verdict()
    waiting = sum(left[role]["done"] for role in _READERS)
    errors = sum(_unexpected(path.read_text()) for path in collectors.logs())
    return Outcome(verdict, history, seconds, recovery, waiting, errors, Herd.of(servers.index))


def _unexpected(log: str) -> int:
    """Lines of a program's log that tell of its own errors."""
    return sum("Traceback" in line or "uncaught_exception" in line for line in log.splitlines())


def _play(senders: Senders, decks: Sequence[Deck], course: Course) -> None:
    """Senders against faults for the time of the course, then until all is sent. Raises what one of them raises."""
    over, broken = threading.Event(), threading.Event()
    with ThreadPoolExecutor(len(decks) + 1) as pool:
        sending = pool.submit(senders.run, over, broken)
        playing = [pool.submit(deck.play, over, course.pauses) for deck in decks]
        _until(lambda: any(one.done() for one in playing), course.seconds)
        over.set()
        wait(playing)
        if any(one.exception() for one in playing):
            broken.set()
    for one in (*playing, sending):
        one.result()


def _caught_up(judge: Judge) -> bool:
    """Whether all is stored in the end, however long that takes, as long as it goes on."""
    while not judge.complete():
        if judge.standing_still() > _STANDSTILL:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _until(true: Callable[[], bool], seconds: float) -> None:
    """Wait for it, not longer than that."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
