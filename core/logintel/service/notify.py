"""Notify: tells the service manager how this process is doing (sd_notify(3)); without one nothing happens."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Notify:
    """`address` is that of $NOTIFY_SOCKET: a path, or `@NAME` in the abstract namespace; None: nobody listens.

    watchdog  seconds in which the manager wants to hear of us (WatchdogSec=); None: it does not
    """

    address: str | None
    watchdog: float | None = None
    _refused: bool = field(default=False, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notify:
        """As the service manager has set it up for this process."""
        address = environment.get("NOTIFY_SOCKET") or None
        wanted, for_pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(os.getpid()))
        watched = wanted.isdecimal() and int(wanted) > 0 and for_pid == str(os.getpid())
        return cls(address, int(wanted) / 1_000_000 if watched else None)

    def ready(self) -> None:
        """Start-up, or a reload, is over."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` says when that is over (Type=notify-reload)."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The process is about to end."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """One line that `systemctl status` shows."""
        self._tell("STATUS=" + text.replace("\n", " ")[:2000])

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, *assignments: str) -> None:
        if self.address is None:
            return
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
                sending.settimeout(1.0)
                sending.sendto("\n".join(assignments).encode(), address)
        except OSError as error:
            if not self._refused:
                self._refused = True
                _log.warning("service_manager_unreachable", address=self.address, reason=str(error))
