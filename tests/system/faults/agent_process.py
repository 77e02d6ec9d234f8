"""The agent's process: started, killed, asked to end, frozen; its disk filled."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from faults.deck import Card, drawn
from faults.history import History

COMMAND: Final = [sys.executable, "-m", "logintel"]
#: Seconds within which it listens after its start, on a machine that is busy.
_STARTS_WITHIN: Final = 60.0
#: Seconds within which an agent that was asked to end has ended.
_ENDS_WITHIN: Final = 30.0


class EndedByItself(Exception):
    """The agent ended though nobody had asked it to."""


class AgentProcess:
    """`life` counts its signals: the same number before and after means that it was let alone in between."""

    def __init__(
        self, directory: Path, port: int, dice: random.Random, history: History, lasting: tuple[float, float]
    ) -> None:
        """`directory` has agent.yaml, which lets it listen on `port`, and its data directory, data."""
        self._config, self._data, self._port = directory / "agent.yaml", directory / "data", port
        self._dice, self._history, self._lasting = dice, history, lasting
        self._process: subprocess.Popen[bytes] | None = None
        self.log = directory / "agent.log"
        self.life = 0

    def start(self) -> None:
        """Start it, its output at the end of `log`."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._words(), stdout=log, stderr=log)

    def finish(self) -> None:
        """Ask it to end, then let it read what is left to the end."""
        self._end()
        with self.log.open("ab") as log:
            subprocess.run([*self._words(), "--once"], check=True, stdout=log, stderr=log, timeout=600)

    def kill(self) -> None:
        """End it, if it runs, whatever it is at."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def cards(self, *, own_disk: bool) -> Sequence[Card]:
        """Its faults; `own_disk`: its data directory is a small file system that may be filled."""
        return [
            Card(self._killed, 4),
            Card(self._killed_twice, 2),
            Card(self._restarted, 2),
            Card(self._worker_killed, 2),
            Card(self._reloaded, 2),
            Card(self._frozen, 2),
            *([Card(self._disk_full, 2)] if own_disk else []),
        ]

    def _words(self) -> list[str]:
        return [*COMMAND, "agent", "run", "--config", str(self._config), "--data", str(self._data)]

    def _last(self) -> None:
        time.sleep(drawn(self._dice, self._lasting))

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _signal(self, number: signal.Signals) -> subprocess.Popen[bytes]:
        assert self._process is not None
        if self._process.poll() is not None:
            raise EndedByItself(f"with exit code {self._process.returncode}; {self.log} says why")
        self.life += 1
        self._process.send_signal(number)
        return self._process

    def _crash(self) -> None:
        """As the kernel does it when memory is short."""
        self._signal(signal.SIGKILL).wait()

    def _end(self) -> None:
        self._wait_until_up()  # before that nobody has told the kernel what SIGTERM means
        code = self._signal(signal.SIGTERM).wait(_ENDS_WITHIN)
        # Killed by it: an orphan of the life before still answered on the port, and this life had not got that far.
        if code not in (0, -signal.SIGTERM):
            raise EndedByItself(f"when it was asked to end, with exit code {code}; {self.log} says why")

    def _killed(self) -> None:
        with self._history.fault("agent: kill -9, down for a while"):
            self._crash()
            self._last()
            self.start()

    def _killed_twice(self) -> None:
        """The second time while it is starting."""
        with self._history.fault("agent: kill -9, and again while it starts"):
            self._crash()
            self.start()
            time.sleep(self._dice.uniform(0.1, 1))
            self._crash()
            self.start()

    def _restarted(self) -> None:
        with self._history.fault("agent: SIGTERM, down for a while"):
            self._end()
            self._last()
            self.start()

    def _worker_killed(self) -> None:
        """Where the agent has worker processes; its supervisor starts another."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            with self._history.fault("agent: a worker killed (kill -9)"):
                self.life += 1
                os.kill(int(self._dice.choice(children)), signal.SIGKILL)

    def _reloaded(self) -> None:
        self._wait_until_up()
        with self._history.fault("agent: reload of a changed configuration (SIGHUP)"):
            config = json.loads(self._config.read_text())
            for source in config["sources"]:
                source["tags"] = [f"life-{self.life}"]
            fresh = self._config.with_suffix(".new")
            fresh.write_text(json.dumps(config))
            fresh.rename(self._config)
            self._signal(signal.SIGHUP)

    def _frozen(self) -> None:
        with self._history.fault("agent: frozen (SIGSTOP)"):
            assert self._process is not None
            self._process.send_signal(signal.SIGSTOP)
            try:
                self._last()
            finally:
                self._process.send_signal(signal.SIGCONT)

    def _disk_full(self) -> None:
        """No room for a while; half the time it is killed in the middle, and started when there is room again.

        Without room it does not start (and says so): it is given the time to be up before.
        """
        self._wait_until_up()
        ballast = self._data / "ballast"
        with self._history.fault("agent: disk full"):
            _fill(ballast)
            self._last()
            killed = self._dice.random() < 0.5
            if killed:
                self._crash()
            ballast.unlink()
            if killed:
                self.start()


def _fill(path: Path) -> None:
    """Write to the file until there is no room for a byte more."""
    with path.open("wb", buffering=0) as out:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    out.write(b"\1" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    os.sync()
