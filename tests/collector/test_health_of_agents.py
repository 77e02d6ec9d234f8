"""Sources' health with real agents, Kafka and PostgreSQL: killed, back again, behind, kept from reading, never heard.

Peers say that all is well while their agents are dead (complaint 18: a silent stall is not seen). Time passes by the
keeper's clock, which the tests set, so that nothing waits for minutes to go by.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from agent_process import AgentProcess
from service_manager import described

from logintel_collector.agent_status import AgentStatusReader
from logintel_collector.config import CollectorConfig
from logintel_collector.keeping.health import Health
from logintel_collector.keeping.lag import Lags
from logintel_collector.metrics import metrics
from logintel_collector.roles.keeper_role import KeeperRole
from logintel_collector.source_health.clock import BrokerClock
from logintel_collector.source_health.rules import Rules
from logintel_collector.stores.postgres import connected, migrate

#: Root reads everything, but not without these powers; anybody else has none of them.
POWERS = "-dac_override,-dac_read_search"
LAUNCHER = ["setpriv", f"--bounding-set={POWERS}", f"--inh-caps={POWERS}"] if os.geteuid() == 0 else []


class Keeper:
    """The chore with a clock that is `ahead` seconds ahead."""

    def __init__(self, config: CollectorConfig, rules: Rules | None = None) -> None:
        self.ahead = 0.0
        self.chore = Health(config, lambda: BrokerClock(lambda: time.monotonic() + self.ahead), rules)

    async def until(self, condition: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(120):
            while True:
                await self.chore.keep()
                if await condition():
                    return
                await asyncio.sleep(0.2)

    async def pass_time(self, seconds: float) -> None:
        self.ahead += seconds
        await self.chore.keep()


class Field:
    """An agent that reports as an installation of its own, and the tables."""

    def __init__(self, agent: AgentProcess, database: str, connection: asyncpg.Connection) -> None:
        self.agent, self.database, self.connection = agent, database, connection
        self.file = agent.directory / "collector.yaml"
        keys = {
            "installation": f"test-{agent.tag}",
            "bus": {"kafka": {"bootstrap_servers": [agent.kafka]}},
            "stores": {"postgres": {"dsn": database}},
            "roles": ["keeper"],
        }
        self.file.write_text(json.dumps(keys))
        self.config = CollectorConfig.model_validate(keys)

    def write(self, name: str, lines: int) -> None:
        with (self.agent.directory / name).open("a") as file:
            file.write(f"2026-11-22 10:00:00 INFO {self.agent.tag} {'x' * 200}\n" * lines)

    async def health(self, name: str) -> str | None:
        found: str | None = await self.connection.fetchval(
            "SELECT health_status FROM log_sources WHERE name = $1", name
        )
        return found

    def is_now(self, name: str, health: str) -> Callable[[], Awaitable[bool]]:
        async def condition() -> bool:
            return await self.health(name) == health

        return condition

    async def told(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Until a heartbeat says so of the sources, by name."""
        assert self.config.bus.kafka
        reader = AgentStatusReader(self.config.bus.kafka, self.config.installation)
        await reader.start()
        try:
            async with asyncio.timeout(120):
                while True:
                    self.write("busy.log", 1)  # an agent whose sources do nothing reports every 30 seconds only
                    async for portion in reader.news():
                        for record in portion:
                            values = record.values() if record.kind == "agent" else None
                            if values and condition({source["name"]: source for source in values["sources"]}):
                                return
                    await asyncio.sleep(0.2)
        finally:
            await reader.close()

    def sources(self, *words: str) -> list[dict[str, Any]]:
        """What `logintel sources` says."""
        command = [sys.executable, "-m", "logintel", "sources", *words, "--config", str(self.file), "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def field(agent: AgentProcess, database: str) -> Callable[[], Any]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Field]:
        postgres = CollectorConfig.model_validate({"stores": {"postgres": {"dsn": database}}}).stores.postgres
        assert postgres
        async with connected(postgres, "test") as connection:
            await migrate(connection)
            yield Field(agent, database, connection)

    return opened


def test_a_killed_agent_is_unhealthy_in_time_and_healthy_when_it_is_back(field: Callable[[], Any]) -> None:
    async def scenario() -> None:
        async with field() as here:
            agent, keeper, other = here.agent, Keeper(here.config), Keeper(here.config)
            here.write("shop.log", 3)
            agent.configure(agent.files("shop", "shop.log", description="The shop."))
            agent.start()
            await here.connection.execute(
                "INSERT INTO log_sources (name, type, health_status) VALUES ('ghost', 'custom', 'healthy')"
            )
            await keeper.until(here.is_now("shop", "healthy"))
            row, ghost = here.sources("list")[::-1]
            assert (row["host"], row["detail"]["events_read"], row["detail"]["lag_bytes"]) == (
                socket.gethostname(),
                3,
                0,
            )
            assert (row["description"], row["configuration"]["paths"]) == ("The shop.", [f"{agent.directory}/shop.log"])
            assert (ghost["name"], ghost["status"], ghost["reason"]) == ("ghost", "unknown", "no agent has told of it")
            assert await here.health("ghost") == "unknown"
            agent.kill()
            await keeper.pass_time(91)
            assert await here.health("shop") == "healthy"
            await keeper.pass_time(10)
            assert await here.health("shop") == "unhealthy"
            assert keeper.chore.changed == 2
            await other.chore.keep()  # one judges; the other stands by, takes over, and changes nothing
            assert list(other.chore.gauges()) == []
            await keeper.chore.close()
            await other.chore.keep()
            assert {**next(other.chore.gauges()).values} == {"unhealthy": 1, "degraded": 0, "unknown": 0, "healthy": 0}
            keeper_role = KeeperRole([other.chore, Lags(here.config)])
            names = {
                family.name
                for family in metrics([keeper_role])
                if not family.name.startswith(("logintel_role_", "logintel_bus_"))
            }
            assert names == described("The keeper") - described("")
            assert (other.chore.changed, here.sources("show", "shop")[0]["status"]) == (0, "unhealthy")
            agent.start()
            since = await here.connection.fetchval("SELECT heard_at FROM source_health")

            async def heard() -> bool:
                await other.pass_time(31)  # the clock decides when it is written, too
                return bool(await here.connection.fetchval("SELECT heard_at > $1 FROM source_health", since))

            await other.until(heard)
            other.ahead = 0
            await other.chore.keep()
            await other.pass_time(31)
            assert await here.health("shop") == "healthy"
            await other.chore.close()

    asyncio.run(scenario())


def test_a_source_that_falls_behind_or_may_not_read_is_degraded_with_the_reason(field: Callable[[], Any]) -> None:
    async def scenario() -> None:
        async with field() as here:
            agent, keeper = here.agent, Keeper(here.config, Rules(window=20, worse=5))
            agent.launcher = LAUNCHER
            secret = agent.directory / "secret.log"
            secret.write_text("2026-11-22 10:00:00 INFO secret\n")
            secret.chmod(0)
            here.write("slow.log", 20_000)
            here.write("busy.log", 1)
            limit = {"rate_limit": {"bytes_per_second": "1KiB", "burst": "1s"}}
            agent.configure(
                agent.files("slow", "slow.log", process=limit),
                agent.files("secret", "secret.log"),
                agent.files("busy", "busy.log"),
            )
            agent.start()
            await keeper.until(here.is_now("slow", "healthy"))
            await keeper.until(here.is_now("secret", "degraded"))
            here.write("slow.log", 5_000)
            await here.told(lambda sources: sources["slow"]["lag_bytes"] > 5_500_000)
            await keeper.pass_time(25)
            await keeper.pass_time(6)
            assert await here.health("slow") == "degraded"
            await keeper.chore.close()
            secret_row, slow, _busy = here.sources("list")
            assert secret_row["reason"] == f"{secret}: Permission denied"
            assert slow["reason"].startswith("it falls behind: 5.")
            assert slow["detail"]["worst"][0]["behind"] == slow["detail"]["lag_bytes"]

    asyncio.run(scenario())
