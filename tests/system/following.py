"""A following agent on a real Kafka, over a file of numbered lines: what it says, and what has arrived once."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from faults.arrivals import Arrivals
from faults.lines import text_of

from logintel.bus.topics import INGESTION
from logintel.config.shared import KafkaBusConfig

COMMAND: Final = [sys.executable, "-m", "logintel"]
#: Seconds that anything may take on a machine that is busy.
PATIENCE: Final = 60.0


def until(true: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


@dataclass
class Following:
    """An agent that follows `log`; `writer` is the name in the lines of this test, `written` how many there are."""

    directory: Path
    kafka: str
    data: Path
    log: Path
    further: Sequence[Mapping[str, Any]] = ()
    wrapper: Sequence[str] = ()
    environment: Mapping[str, str] | None = None
    writer: str = field(default_factory=lambda: f"w{secrets.token_hex(4)}")
    written: int = 0
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        source = {"name": "app", "type": "application", "paths": [f"{self.log}*"]}
        bus = {"kafka": {"bootstrap_servers": [self.kafka]}}
        self.config.write_text(json.dumps({"bus": bus, "sources": [source, *self.further]}))
        self._arrivals = Arrivals(KafkaBusConfig(bootstrap_servers=(self.kafka,)), INGESTION.name)

    @property
    def config(self) -> Path:
        return self.directory / "agent.yaml"

    @property
    def stderr(self) -> Path:
        return self.directory / "stderr"

    @property
    def words(self) -> list[str]:
        return [*self.wrapper, *COMMAND, "agent", "run", "--config", str(self.config), "--data", str(self.data)]

    def start(self) -> None:
        with self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(self.words, stdout=stderr, stderr=stderr, env=self.environment)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def next_lines(self, count: int) -> str:
        """Further lines, counted as written."""
        numbers = range(self.written, self.written + count)
        self.written += count
        return "".join(text_of(self.writer, number) + "\n" for number in numbers)

    def write(self, count: int) -> None:
        """Append further lines to the log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(self.next_lines(count))

    def says(self, *words: str, meanwhile: int = 0) -> None:
        """Wait until a line of what it says has all of these words; write so many lines at each look."""

        def said() -> bool:
            self.write(meanwhile)
            lines = self.stderr.read_text().splitlines()
            return any(all(word in line for word in words) for line in lines)

        until(said, lambda: f"never said {words}; only:\n{self.stderr.read_text()}")

    def all_arrive(self) -> None:
        """Wait until every line is on the bus; the agent is still the same process, and none is there as two events."""

        def arrived() -> bool:
            self._arrivals.read_to_end()
            return len(self._arrivals.first.get(self.writer, ())) == self.written

        until(arrived, lambda: f"{self._missing()} of {self.written}; it says:\n{self.stderr.read_text()}")
        assert self.process.poll() is None, self.stderr.read_text()
        assert [double for double in self._arrivals.doubled if double[0].writer == self.writer] == []
        assert "Traceback" not in self.stderr.read_text()

    def _missing(self) -> str:
        missing = sorted(set(range(self.written)) - set(self._arrivals.first.get(self.writer, ())))
        return f"missing {missing[:10]} …, {len(missing)}"


@contextmanager
def following(made: Following) -> Iterator[Following]:
    """Started; ended with the block."""
    made.start()
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
