"""An installation of one round: its own name, database and indices, so that every round begins alike; gone after it."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import orjson
from measured import Cost, Run

from agent import COMMAND
from logintel.config.shared import KafkaBusConfig

_RULES: Final = Path(__file__).resolve().parent.parent / "examples" / "rules"
_TIMEOUT: Final = 60.0


class Installation:
    """`name` is in the names of everything that it has on the servers."""

    def __init__(self, scratch: Path, addresses: Mapping[str, str]) -> None:
        self.name = f"bench-{secrets.token_hex(4)}"
        self.prefix = f"{self.name}-"
        self.elasticsearch = addresses["elasticsearch"]
        self.bus = KafkaBusConfig(bootstrap_servers=(addresses["kafka"],))
        self.server, self.dsn = addresses["postgres"], self._dsn(addresses["postgres"], self.name)
        self.bare_dsn = self._dsn(addresses["postgres"], f"{self.name}-bare")
        self._scratch = scratch

    @asynccontextmanager
    async def databases(self) -> AsyncIterator[None]:
        """Ours, and one for the bare COPY; dropped at the end, with the indices."""
        names = (self.name, f"{self.name}-bare")
        await self._execute(*(f'CREATE DATABASE "{name}"' for name in names))
        try:
            yield
        finally:
            await self._execute(*(f'DROP DATABASE "{name}" WITH (FORCE)' for name in names))
            await self._delete_indices()

    def configure(self, sources: list[dict[str, Any]]) -> None:
        """Write both configurations, and set the servers up."""
        shared = {"installation": self.name, "bus": {"kafka": {"bootstrap_servers": self.bus.bootstrap_servers}}}
        stores = {
            "elasticsearch": {"hosts": [self.elasticsearch], "prefix": self.prefix},
            "postgres": {"dsn": self.dsn},
        }
        self._config("agent").write_bytes(orjson.dumps({**shared, "sources": sources}))
        collector = {**shared, "stores": stores, "rules_dir": str(_RULES)}
        self._config("collector").write_bytes(orjson.dumps(collector))
        words = [*COMMAND, "collector", "setup", "--config", str(self._config("collector"))]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def send(self) -> None:
        """What the sources have, from file to Kafka."""
        data = str(self._scratch / self.name)
        words = [*COMMAND, "agent", "run", "--once", "--config", str(self._config("agent")), "--data", data]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    def collect(self, role: str) -> tuple[Cost, dict[str, int]]:
        """One role in a process of its own, until it has caught up; what it cost, and what it says it did."""
        words: list[str | Path] = [*COMMAND, "collector", "run", "--once", "--json", "--roles", role]
        words += ["--config", self._config("collector")]
        cost, printed = Run(self._scratch / f"{role}.cost", words, self._scratch / f"{role}.log").finish()
        return cost, orjson.loads(printed)["roles"][role]

    def agent_words(self) -> list[str]:
        """The command of an agent that runs until it is stopped."""
        data = str(self._scratch / f"{self.name}-agent")
        return [*COMMAND, "agent", "run", "--config", str(self._config("agent")), "--data", data]

    def collector_words(self, *roles: str) -> list[str]:
        """The command of a collector that runs until it is stopped; without `roles` all of them."""
        named = ["--roles", ",".join(roles)] if roles else []
        return [*COMMAND, "collector", "run", "--config", str(self._config("collector")), *named]

    async def documents(self, pattern: str) -> int:
        """How many there are in the indices whose names, behind the prefix, match."""
        async with httpx.AsyncClient(base_url=self.elasticsearch, timeout=_TIMEOUT) as client:
            await client.post(f"/{self.prefix}{pattern}/_refresh")
            answer = await client.get(f"/{self.prefix}{pattern}/_count")
            return int(answer.raise_for_status().json()["count"])

    async def rows(self, dsn: str) -> int:
        """How many log_entries has."""
        connection = await asyncpg.connect(dsn, timeout=_TIMEOUT)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM log_entries"))
        finally:
            await connection.close()

    def _config(self, process: str) -> Path:
        return self._scratch / f"{process}-{self.name}.yaml"

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.server, timeout=_TIMEOUT)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def _delete_indices(self) -> None:
        """By their names: a cluster may refuse to delete by a pattern."""
        async with httpx.AsyncClient(base_url=self.elasticsearch, timeout=_TIMEOUT) as client:
            for kind, path in (("", f"/_resolve/index/{self.prefix}*"), ("_index_template/", "/_index_template")):
                found = (await client.get(path)).raise_for_status().json()
                names = [one["name"] for one in found.get("indices") or found.get("index_templates") or ()]
                await asyncio.gather(*(client.delete(f"/{kind}{name}") for name in names if self._ours(name)))

    def _ours(self, name: str) -> bool:
        return name.startswith(self.prefix)

    @staticmethod
    def _dsn(server: str, database: str) -> str:
        return f"{server.rpartition('/')[0]}/{database}"


@contextmanager
def running(words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end."""
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
