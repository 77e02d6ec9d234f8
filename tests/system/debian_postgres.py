"""Debian's PostgreSQL and PgBouncer (postgresql, pgbouncer), with TLS, run as the user postgres on ports of their own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from logintel_devstack.ports import free_port

PASSWORD: Final = "not-a-secret"
#: Seconds that a start or a stop may take on a machine that is busy.
PATIENCE: Final = 60.0
_HBA: Final = """\
local   all,replication all               trust
hostssl certificate all     127.0.0.1/32  cert clientcert=verify-full
hostssl all         all     127.0.0.1/32  scram-sha-256
"""
_BOUNCER: Final = """\
[databases]
* = host=localhost port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
logfile = {home}/pgbouncer.log
auth_type = scram-sha-256
auth_file = {home}/users
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 100
client_tls_sslmode = require
client_tls_cert_file = {home}/localhost.crt
client_tls_key_file = {home}/localhost.key
server_tls_sslmode = verify-full
server_tls_ca_file = {home}/ca.crt
"""


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Certificates:
    """An authority of a test's own, in a directory; `other` is one that nobody should trust."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for authority in ("ca", "other"):
            self._made(authority, "-days", "2")
        self.signed("localhost", "subjectAltName=DNS:localhost")
        self.signed("logintel", "extendedKeyUsage=clientAuth")

    def path(self, name: str) -> Path:
        return self.directory / name

    def signed(self, name: str, extension: str) -> None:
        """NAME.crt and NAME.key, for CN=NAME."""
        authority: list[str | Path] = ["-CA", self.path("ca.crt"), "-CAkey", self.path("ca.key")]
        self._made(name, "-days", "2", "-addext", extension, *authority)

    def _made(self, name: str, *more: str | Path) -> None:
        files: list[str | Path] = ["-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.crt")]
        openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            f"/CN={name}",
            *files,
            *more,
        )


@dataclass
class Daemon:
    """A server of this test; `port` answers once it is up."""

    home: Path
    port: int = field(default_factory=lambda: free_port(()))
    process: subprocess.Popen[bytes] | None = None

    def words(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.words(), user="postgres", group="postgres", extra_groups=[], cwd=self.home, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode:
            assert time.monotonic() < deadline, (self.home / "log").read_text()
            assert self.process.poll() is None, (self.home / "log").read_text()
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.process = None


@dataclass
class Server(Daemon):
    """PostgreSQL: TLS is all that it takes from the network; database `certificate` asks for a client's."""

    def prepare(self) -> None:
        self._as_postgres(
            "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale", "C.UTF-8", "-D", self.data
        )
        (self.data / "pg_hba.conf").write_text(_HBA)

    def words(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self.home),
            "ssl": "on", "ssl_cert_file": f"{self.home}/localhost.crt", "ssl_key_file": f"{self.home}/localhost.key",
            "ssl_ca_file": f"{self.home}/ca.crt", "fsync": "off", "password_encryption": "scram-sha-256",
        }  # fmt: skip
        return [
            _program("postgres"),
            "-D",
            str(self.data),
            *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
        ]

    def sql(self, statement: str, database: str = "postgres") -> str:
        """As the superuser, over the socket."""
        return self._as_postgres(
            "psql", "-XAtq", "-h", self.home, "-p", str(self.port), "-U", "postgres", "-d", database, "-c", statement
        )

    def _as_postgres(self, program: str, *words: str | Path) -> str:
        done = subprocess.run(
            [_program(program), *map(str, words)],
            user="postgres",
            group="postgres",
            extra_groups=[],
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def programs(self) -> Path:
        """The directory of pg_basebackup and the like."""
        return _programs()

    @property
    def data(self) -> Path:
        return self.home / "data"


@dataclass
class Bouncer(Daemon):
    """PgBouncer in transaction mode: `pool` connections to the server for all who come as one user to one database."""

    server: int = 0
    pool: int = 3

    def words(self) -> list[str]:
        config = self.home / "pgbouncer.ini"
        config.write_text(_BOUNCER.format(home=self.home, port=self.port, server=self.server, pool=self.pool))
        (self.home / "users").write_text(f'"logintel" "{PASSWORD}"\n')
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
        assert program is not None
        return [program, str(config)]


def _program(name: str) -> str:
    return str(_programs() / name)


def _programs() -> Path:
    """Those of the newest version that is installed."""
    return max(Path("/usr/lib/postgresql").iterdir(), key=lambda path: float(path.name)) / "bin"
