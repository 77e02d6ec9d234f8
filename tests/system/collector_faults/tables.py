"""The database of a run: a real PostgreSQL behind a proxy, and what operators, locks and load do to it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from faults.deck import Card, drawn
from faults.history import History
from faults.patience import bring_up
from faults.proxy import Mode, Proxy

from logintel_devstack.ports import HOST
from logintel_devstack.postgres import Postgres

#: Tables that roles write to; a trigger on each refuses statements.
_WRITTEN: Final = ("log_entries", "log_sources", "consumer_offsets", "outbox_deliveries")
#: Seconds that a lock of a collector that is frozen in the midst of a transaction is waited for.
_PATIENCE: Final = 120.0
_TERMINATE: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name LIKE 'logintel-%' AND datname = current_database()"
)
_STORM: Final = """
    CREATE OR REPLACE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF random() < 0.6 THEN
            RAISE EXCEPTION 'could not serialize access' USING ERRCODE = CASE WHEN random() < 0.5
                THEN 'serialization_failure' ELSE 'deadlock_detected' END;
        END IF;
        RETURN NULL;
    END $$
"""


class FewSessions(Postgres):
    """With so few sessions that they are soon used up."""

    def prepare(self) -> None:
        """See Postgres."""
        super().prepare()
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write("max_connections = 30\n")


class Tables:
    """The database `name`, made at the start."""

    def __init__(
        self, server: Postgres, name: str, dice: random.Random, history: History, lasting: tuple[float, float]
    ) -> None:
        self._server, self._proxy, self._name = server, Proxy(), name
        self._dice, self._history, self._lasting = dice, history, lasting

    def start(self) -> None:
        """Return when it serves and has the database."""
        self._up()
        self._proxy.start()
        self._run(lambda connection: connection.execute(f'CREATE DATABASE "{self._name}"'), self._server.address)

    def stop(self) -> None:
        """End the proxy; the server's owner ends the server."""
        self._proxy.stop()

    @property
    def dsn(self) -> str:
        """For collectors."""
        return urlsplit(self._direct)._replace(netloc=self._netloc(self._proxy.port)).geturl()

    def heal(self) -> None:
        """Serve as if nothing had been."""
        self._proxy.mode = "pass"
        self._up()

    def cards(self, *, may_restart: bool) -> Sequence[Card]:
        """Its faults; `may_restart`: those too that end the server."""
        modes: tuple[Mode, ...] = ("slow", "silent", "answers_lost")
        return [
            *([Card(self._killed), Card(self._restarted)] if may_restart else []),
            Card(self._frozen, 2),
            *(Card(lambda mode=mode: self._through(mode)) for mode in modes),  # type: ignore[misc]
            Card(self._terminated, 2),
            Card(self._exhausted, 2),
            Card(self._locked),
            Card(self._deadlocks),
            Card(self._fails, 2),
            Card(self._serializable),
            Card(self._read_only),
        ]

    def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """What it answers, past the proxy."""
        found: list[asyncpg.Record] = self._run(lambda connection: connection.fetch(query, *values), self._direct)
        return found

    def _execute(self, *statements: str) -> None:
        async def execute(connection: asyncpg.Connection) -> None:
            for statement in statements:
                await connection.execute(statement, timeout=_PATIENCE)

        self._run(execute, self._direct)

    def _run(self, work: Callable[[asyncpg.Connection], Awaitable[Any]], dsn: str) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(dsn, timeout=30, command_timeout=120)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    @property
    def _direct(self) -> str:
        return urlsplit(self._server.address)._replace(path=f"/{self._name}").geturl()

    def _netloc(self, port: int) -> str:
        login = urlsplit(self._server.address).netloc.rpartition("@")[0]
        return f"{login}@{HOST}:{port}"

    def _up(self) -> None:
        bring_up(self._server)
        self._proxy.target = self._server.ports["client"]

    def _last(self) -> None:
        time.sleep(drawn(self._dice, self._lasting))

    def _killed(self) -> None:
        with self._history.fault("postgres: killed, down for a while"):
            if self._server.process is not None:
                self._server.process.kill(signal.SIGKILL, within=30)
            self._last()
            self._up()

    def _restarted(self) -> None:
        with self._history.fault("postgres: restarted"):
            self._server.down()
            self._up()

    def _frozen(self) -> None:
        with self._history.fault("postgres: frozen (SIGSTOP)"):
            pids = self._pids()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                self._last()
            finally:
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        """The postmaster, so that it starts no more, and its children."""
        assert self._server.process is not None
        pid = self._server.process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def _through(self, mode: Mode) -> None:
        names = {"slow": "slow", "silent": "half-open", "answers_lost": "answers lost"}
        with self._history.fault(f"postgres: {names[mode]}"):
            self._proxy.mode = mode
            self._last()
            self._proxy.mode = "pass"
            if mode == "answers_lost" or self._dice.random() < 0.5:
                self._proxy.reset()

    def _terminated(self) -> None:
        with self._history.fault("postgres: sessions terminated by an operator"):
            self._terminate()

    def _terminate(self) -> None:
        self._execute(_TERMINATE)

    def _exhausted(self) -> None:
        """No session is left for anybody; who has one loses it, as a pool that recycles them does."""
        with self._history.fault("postgres: connections exhausted"):
            asyncio.run(self._exhaust())

    async def _exhaust(self) -> None:
        held: list[asyncpg.Connection] = []
        try:
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    held.append(await asyncpg.connect(self._direct, timeout=30))
            await held[0].execute(_TERMINATE)
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    held.append(await asyncpg.connect(self._direct, timeout=30))
            await asyncio.sleep(drawn(self._dice, self._lasting))
        finally:
            for connection in held:
                connection.terminate()

    def _locked(self) -> None:
        """As a migration of somebody's own does."""
        with self._history.fault("postgres: log_entries locked"):
            self._run(self._lock, self._direct)

    async def _lock(self, connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE log_entries IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(drawn(self._dice, self._lasting))

    def _deadlocks(self) -> None:
        """Locks in the order in which no recorder takes them."""
        with self._history.fault("postgres: deadlock"), suppress(asyncpg.DeadlockDetectedError):
            self._run(self._deadlock, self._direct)

    async def _deadlock(self, connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE log_entries IN EXCLUSIVE MODE")
            await asyncio.sleep(0.7)
            await connection.execute("LOCK TABLE log_sources IN EXCLUSIVE MODE")

    def _fails(self) -> None:
        """Of the statements that write, more than half fail, as they do under SERIALIZABLE or with hot standbys."""
        with self._history.fault("postgres: serialization failures and deadlocks"):
            made = [
                f"CREATE TRIGGER storm BEFORE INSERT OR UPDATE ON {name} EXECUTE FUNCTION storm()" for name in _WRITTEN
            ]
            self._execute(_STORM, *made)
            try:
                self._last()
            finally:
                self._execute(*(f"DROP TRIGGER IF EXISTS storm ON {name}" for name in _WRITTEN))

    def _serializable(self) -> None:
        self._for_new_sessions("default_transaction_isolation", "serializable", "postgres: all is SERIALIZABLE")

    def _read_only(self) -> None:
        self._for_new_sessions("default_transaction_read_only", "on", "postgres: read-only (as after a failover)")

    def _for_new_sessions(self, name: str, value: str, kind: str) -> None:
        with self._history.fault(kind):
            self._execute(f'ALTER DATABASE "{self._name}" SET {name} = {value}')
            self._terminate()
            self._last()
            self._execute("SET default_transaction_read_only = off", f'ALTER DATABASE "{self._name}" RESET {name}')
            self._terminate()
