"""A server's process: started in a session of its own, known again by pid and start time, ended gently, then hard."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from logintel.refused import Refused

#: Who runs the servers when root starts them: Elasticsearch and PostgreSQL refuse root. (nobody, on every Linux)
ORDINARY_UID: Final = 65534
_STOPS_WITHIN = 30.0  # seconds


class Process(NamedTuple):
    """`started` tells it from a later process with the same pid: the boot's id and the clock ticks since."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that ended and that nobody has waited for does not."""
        return _started(self.pid) == self.started

    def stop(self, gently: signal.Signals) -> None:
        """Ask it to end, and kill it when it has not after a while."""
        self.kill(gently, within=_STOPS_WITHIN)
        if self.alive:
            self.kill(signal.SIGKILL, within=_STOPS_WITHIN)

    def kill(self, number: signal.Signals, within: float) -> None:
        """Send it a signal and wait for its end, at most `within` seconds. SIGKILL takes its children too."""
        if not self.alive:
            return
        everyone = number == signal.SIGKILL
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if everyone else os.kill)(self.pid, number)
        end = time.monotonic() + within
        while (self.alive or (everyone and _group_lives(self.pid))) and time.monotonic() < end:
            time.sleep(0.02)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)


def find(pid: int) -> Process | None:
    """The process that has this pid now."""
    started = _started(pid)
    return None if started is None else Process(pid, started)


def spawn(command: Sequence[str], log: Path, env: Mapping[str, str]) -> Process:
    """Start it, detached, its output at the end of `log`. Raises Refused where root cannot give up being root."""
    whole = ordinary(command)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        whole[0],
        whole,
        {**os.environ, **env},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return find(pid) or Process(pid, "")


def run(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> bool:
    """Run a step of a server's setting up to its end, its output at the end of `log`; whether it went well."""
    with log.open("ab") as out:
        done = subprocess.run(  # noqa: S603 - our own command line
            ordinary(command),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(env or {})},
        )
    return done.returncode == 0


def ordinary(command: Sequence[str]) -> list[str]:
    """The command as an ordinary user runs it.

    Root's becomes nobody's, who keeps of root's powers only the access to files: the cache, the virtual environment and
    the directory of the data may lie where nobody else may look.
    """
    if os.geteuid() != 0:
        return list(command)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Refused("the servers must not run as root, and there is no setpriv to leave it: install util-linux")
    user = [f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--no-new-privs"]
    # Without no_setuid_fixup access(2), by which Java asks whether it may read a file, leaves the powers out.
    powers = [f"--{which}=-all,+dac_override" for which in ("inh-caps", "ambient-caps", "bounding-set")]
    powers.append("--securebits=+no_setuid_fixup")
    return [setpriv, *user, *powers, "--", *command]


def _started(pid: int) -> str | None:
    """When the process with this pid started, unless it has ended (field 22 of proc(5)'s stat: here 19)."""
    fields = _stat(pid)
    if fields is None:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{boot}/{fields[19]}"


def _group_lives(group: int) -> bool:
    """Whether a process of the group (field 5 of proc(5)'s stat: here 2) has not ended."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return any(fields[2] == str(group) for pid in pids if (fields := _stat(pid)) is not None)


def _stat(pid: int) -> list[str] | None:
    """Fields 3 and on of proc(5)'s stat, unless the process has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A zombie with threads is still on its way out: it may hold its ports and locks.
    ended = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if ended else fields
