"""A server of the devstack: what each one defines, and what all share: remembered ports, start, readiness, stop."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final

from logintel.refused import Refused
from logintel_devstack.ports import free_port, is_free
from logintel_devstack.process import ORDINARY_UID, Process

_STATE: Final = "state.json"
_SCHEMA: Final = 1
_READY_WITHIN: Final = 300.0  # seconds, on a machine that is very busy
#: How often it is started when another program takes one of its ports between our look and its own.
_STARTS: Final = 3
_PORT_TAKEN: Final = "address already in use"
_TAIL_LINES, _TAIL_WIDTH = 15, 300
_FRAME: Final = re.compile(r"\s+(at |\.\.\. \d)")


class Server(ABC):
    """One server with its home, a directory that holds its data, its log and what is remembered of it."""

    name: ClassVar[str]
    version: str
    #: What its ports are for; the first is the clients'.
    PORTS: ClassVar[tuple[str, ...]]
    #: Asks it to end now, in good order.
    STOP: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, home: Path) -> None:
        self.home = home
        self._log_before = 0
        state = self._read()
        self.ports: dict[str, int] = state.get("ports", {})
        self.process: Process | None = Process(state["pid"], state["started"]) if "pid" in state else None

    @abstractmethod
    def prepare(self) -> None:
        """Fetch it if it is not in the cache, make its data directory if there is none, and write its configuration."""

    @abstractmethod
    def start(self) -> Process:
        """Start it; it need not be ready."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it serves: asked as a client asks."""

    @property
    @abstractmethod
    def address(self) -> str:
        """What clients are given."""

    @property
    def log(self) -> Path:
        """Where it and its setting up say what they do."""
        return self.home / f"{self.name}.log"

    @property
    def running(self) -> bool:
        """Whether the process that was started last still runs."""
        return self.process is not None and self.process.alive

    def up(self) -> None:
        """Return when it serves. Raises Refused when it cannot."""
        for further in reversed(range(_STARTS)):
            if not self.running:
                self._launch()
            if self._serves():
                return self._say_where()
            if not further or _PORT_TAKEN not in self._said().lower():
                raise Refused(f"{self.name} ended while it was starting: its log says why: {self.log}\n{self._tail()}")
            _say(f"{self.name}: another program took a port of its before it did; it is started again")
        return None

    def down(self) -> None:
        """Stop it if it runs; its data stays."""
        if self.process is not None:
            self.process.stop(self.STOP)

    def failed(self, step: str) -> Refused:
        """The error of a step of its setting up."""
        return Refused(f"{self.name}: {step} failed: its log says why: {self.log}\n{self._tail()}")

    def _launch(self) -> None:
        self._make_home()
        self._log_before = self.log.stat().st_size if self.log.exists() else 0
        self._choose_ports()
        self.prepare()
        self.process = self.start()
        self._write()

    def _serves(self) -> bool:
        """Whether it came so far; not, when it has ended before. Raises Refused when it does neither."""
        end = time.monotonic() + _READY_WITHIN
        while not self.ready():
            if not self.running:
                return False
            if time.monotonic() > end:
                raise Refused(
                    f"{self.name} does not answer at {self.address} after {_READY_WITHIN:.0f} s: see {self.log}\n"
                    f"{self._tail()}"
                )
            time.sleep(0.05)
        return True

    def _tail(self) -> str:
        """The last lines that it said, indented, without the frames of Java's stack traces."""
        lines = [line for line in self._said().splitlines() if not _FRAME.match(line)]
        return "".join(f"    {line[:_TAIL_WIDTH]}\n" for line in lines[-_TAIL_LINES:])

    def _said(self) -> str:
        """Its log since it was started last."""
        return self.log.read_bytes()[self._log_before :].decode("utf-8", "replace") if self.log.exists() else ""

    def _make_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.home, ORDINARY_UID, ORDINARY_UID)

    def _choose_ports(self) -> None:
        """Those of the last time, but for any that somebody else has taken since."""
        for use in self.PORTS:
            port = self.ports.get(use)
            if port is not None and not is_free(port):
                _say(f"{self.name}: port {port} is taken by another program; it moves to another port")
            if port is None or not is_free(port):
                self.ports[use] = free_port(self.ports.values())
        self._write()

    def _say_where(self) -> None:
        """For configurations, which may say `${file:DIR/NAME/address}`. PostgreSQL's holds a password."""
        path = self.home / "address"
        path.touch(mode=0o600)
        path.write_text(self.address, "utf-8")

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads((self.home / _STATE).read_bytes())
        except FileNotFoundError:
            return {}
        if state["schema"] != _SCHEMA:
            raise Refused(f"{self.home / _STATE} is of another version of logintel: stop its servers with that one")
        return dict(state)

    def _write(self) -> None:
        state = {"schema": _SCHEMA, "version": self.version, "ports": self.ports}
        if self.process is not None:
            state |= self.process._asdict()
        scratch = self.home / f".{_STATE}.part"
        scratch.write_text(json.dumps(state), "utf-8")
        scratch.replace(self.home / _STATE)


def _say(message: str) -> None:
    print(f"logintel: {message}", file=sys.stderr)  # noqa: T201 - a command's way of speaking
