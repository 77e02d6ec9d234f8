"""The collector's processes: started, killed, asked to end, frozen, told to read their configuration again, joined by more."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from faults.agent_process import COMMAND, EndedByItself
from faults.deck import Card, drawn
from faults.history import History

#: Roles of each process: those that share a consumer group twice, those of which there can be one once.
PROCESSES: Final = {
    "first": "processor,indexer,recorder",
    "second": "processor,indexer,recorder",
    "alerts": "alerter,notifier,keeper",
}
#: Seconds within which a process that was asked to end has ended.
_ENDS_WITHIN: Final = 60.0
#: Exit codes of one that was asked to end; by the signal itself where it had not got so far as to listen for it.
_ASKED: Final = frozenset({0, -signal.SIGTERM})


class Collectors:
    """All of them read the configuration `config`; their logs lie beside it."""

    def __init__(self, config: Path, dice: random.Random, history: History, lasting: tuple[float, float]) -> None:
        self._config, self._dice, self._history, self._lasting = config, dice, history, lasting
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def set_up(self) -> None:
        """Make what is missing on the servers."""
        self._finished("setup")

    def start(self) -> None:
        """Start all."""
        for name in PROCESSES:
            self._start(name)

    def stop(self) -> None:
        """Ask all to end, and see that they do. Raises EndedByItself."""
        for name in self._running:
            self._signal(name, signal.SIGTERM)
        for name in list(self._running):
            self._ended(name)

    def finish(self) -> dict[str, Any]:
        """Do what is left, in one process; what its roles say of themselves."""
        summary: dict[str, Any] = json.loads(self._finished("run", "--once"))["roles"]
        return summary

    def kill(self) -> None:
        """End those that run, whatever they are at."""
        for process in self._running.values():
            process.kill()
            process.wait()

    def logs(self) -> list[Path]:
        """What they have said."""
        return sorted(self._config.parent.glob("collector-*.log"))

    def cards(self) -> Sequence[Card]:
        """Their faults."""
        return [
            Card(self._killed, 4),
            Card(self._killed_twice, 2),
            Card(self._all_killed),
            Card(self._restarted, 2),
            Card(self._reloaded),
            Card(self._frozen, 3),
            Card(self._joined, 2),
        ]

    def _start(self, name: str, roles: str = "") -> None:
        words = ["collector", "run", "--config", str(self._config), "--roles", roles or PROCESSES[name]]
        with (self._config.parent / f"collector-{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen([*COMMAND, *words], stdout=log, stderr=log)

    def _finished(self, *words: str) -> str:
        command = [*COMMAND, "collector", *words, "--config", str(self._config), "--json"]
        with (self._config.parent / "collector-once.log").open("ab") as log:
            return subprocess.run(
                command, check=True, stdout=subprocess.PIPE, stderr=log, text=True, timeout=900
            ).stdout

    def _last(self) -> None:
        time.sleep(drawn(self._dice, self._lasting))

    def _one(self) -> str:
        return self._dice.choice(list(PROCESSES))

    def _signal(self, name: str, number: signal.Signals) -> subprocess.Popen[bytes]:
        process = self._running[name]
        if process.poll() is not None:
            raise EndedByItself(f"collector {name}, with exit code {process.returncode}; its log says why")
        process.send_signal(number)
        return process

    def _ended(self, name: str) -> None:
        """It was asked to end."""
        code = self._running.pop(name).wait(_ENDS_WITHIN)
        if code not in _ASKED:
            raise EndedByItself(f"collector {name}, when it was asked to end, with exit code {code}")

    def _killed(self) -> None:
        name = self._one()
        with self._history.fault("collector: kill -9, down for a while", name):
            self._signal(name, signal.SIGKILL).wait()
            self._last()
            self._start(name)

    def _killed_twice(self) -> None:
        """The second time while it is starting."""
        name = self._one()
        with self._history.fault("collector: kill -9, and again while it starts", name):
            self._signal(name, signal.SIGKILL).wait()
            self._start(name)
            time.sleep(self._dice.uniform(0.2, 3))
            self._signal(name, signal.SIGKILL).wait()
            self._start(name)

    def _all_killed(self) -> None:
        with self._history.fault("collector: all processes killed (kill -9) at once"):
            for name in PROCESSES:
                self._signal(name, signal.SIGKILL).wait()
            self.start()

    def _restarted(self) -> None:
        name = self._one()
        with self._history.fault("collector: SIGTERM, down for a while", name):
            self._signal(name, signal.SIGTERM)
            self._ended(name)
            self._last()
            self._start(name)

    def _reloaded(self) -> None:
        """One that has not got so far as to listen for the signal ends by it."""
        name = self._one()
        with self._history.fault("collector: configuration read again (SIGHUP)", name):
            process = self._signal(name, signal.SIGHUP)
            self._last()
            if process.poll() == -signal.SIGHUP:
                self._start(name)

    def _frozen(self) -> None:
        name = self._one()
        with self._history.fault("collector: frozen (SIGSTOP)", name):
            process = self._signal(name, signal.SIGSTOP)
            try:
                self._last()
            finally:
                process.send_signal(signal.SIGCONT)

    def _joined(self) -> None:
        """A further process comes into the groups, and goes again."""
        with self._history.fault("collector: a third process joins and leaves"):
            self._start("third", PROCESSES["first"])
            time.sleep(self._dice.uniform(2, 4))
            self._last()
            if self._dice.random() < 0.5:
                self._signal("third", signal.SIGKILL).wait()
                del self._running["third"]
            else:
                self._signal("third", signal.SIGTERM)
                self._ended("third")
