"""The TCP writer: sends bursts of numbered lines, each over a connection of its own, and learns what was accepted.

Syslog over TCP has no acknowledgement. The agent closes its end after the last record is on disk, so an orderly close by
an agent that nobody has signalled meanwhile is one; after anything else nobody can know, and the burst is not judged for
loss.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from faults.file_writer import Plan
from faults.history import History
from faults.lines import text_of

#: Lines of a burst, at most: so many are in doubt when the agent is killed meanwhile.
_BURST: Final = 500
#: Seconds that a burst waits to be accepted: longer than any fault of the bench.
_PATIENCE: Final = 90.0


@dataclass
class TcpWriter:
    """`life()` names the life of the agent: another answer than before means that it was signalled between."""

    plan: Plan
    port: int
    dice: random.Random
    history: History
    life: Callable[[], int]
    stop: threading.Event
    written: int = 0

    def run(self) -> None:
        """Send all, as evenly over the time as the receiver lets."""
        began = time.monotonic()
        while self.written < self.plan.lines and not self.stop.is_set():
            elapsed = time.monotonic() - began
            due = min(self.plan.lines, int(self.plan.lines * elapsed / self.plan.seconds) + 1)
            if due > self.written:
                self._burst(min(due, self.written + _BURST))
            if due <= self.written + _BURST:
                self.stop.wait(self.dice.uniform(0, 0.2))

    def _burst(self, due: int) -> None:
        life = self.life()
        try:
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE)
        except OSError:
            self.stop.wait(0.2)  # the agent is down: nothing was sent
            return
        with connection:
            closed = self._sent(connection, due)
        confirmed = closed and self.life() == life
        self.history.wrote(
            self.plan.name, self.written, due - 1, f"connection to port {self.port}", confirmed=confirmed
        )
        self.written = due

    def _sent(self, connection: socket.socket, due: int) -> bool:
        """Send the lines up to `due`; whether the receiver closed in good order."""
        texts = [text_of(self.plan.name, number) for number in range(self.written, due)]
        octets = [text.encode() for text in texts]
        counted = self.dice.random() < 0.5
        data = b"".join(b"%d %b" % (len(each), each) if counted else each + b"\n" for each in octets)
        middle = self.dice.randrange(len(data) + 1)
        try:
            connection.sendall(data[:middle])
            time.sleep(self.dice.choice([0, 0, 0.05]))
            connection.sendall(data[middle:])
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1) == b""
        except OSError:
            return False
