"""Running as a service: health from progress, systemd's protocol on a real socket, and what is served over HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from logintel.config.shared import MonitorConfig
from logintel.refused import Refused
from logintel.service.health import Health
from logintel.service.monitor import monitored
from logintel.service.notify import Notify
from logintel.service.watched import watched
from logintel_devstack.ports import free_port


@dataclass
class Part:
    """A part whose progress the test decides."""

    name: str
    signs: int = 0
    trouble: str | None = None
    status: str = "all done"


class Manager:
    """The service manager's end of the protocol."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """Every message since the last call."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@logintel-test-{os.getpid()}"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    yield manager
    manager.close()


def test_a_part_that_gets_nowhere_is_stalled_and_one_that_gets_on_again_is_not() -> None:
    now = 0.0
    parts = [Part("reader", 1), Part("writer", 1)]
    health = Health(lambda: parts, patience=60, clock=lambda: now)
    assert health.stalled() == []
    now, parts[0].signs = 59.0, 2
    assert health.stalled() == []
    now = 61.0
    assert health.stalled() == ["writer: no progress for 61 s"]
    parts[1].signs = 2
    assert health.stalled() == []


def test_a_server_that_is_away_makes_it_unready_and_not_stalled() -> None:
    """Tries are signs of life: to start the process anew would not bring the server back."""
    now = 0.0
    part = Part("indexer", 1, trouble="no answer in time")
    health = Health(lambda: [part], patience=60, clock=lambda: now)
    for _ in range(10):
        now, part.signs = now + 50, part.signs + 1
        assert health.stalled() == []
    assert health.unready() == ["indexer: no answer in time"]
    assert health.status() == "indexer: no answer in time"
    part.trouble = None
    assert health.unready() == []
    assert health.status() == "indexer: all done"


def test_it_is_not_ready_before_its_first_sign() -> None:
    part = Part("indexer")
    health = Health(lambda: [part])
    assert health.unready() == ["indexer: starting"]


def test_the_manager_hears_of_a_life(address: str, manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())}
    notify = Notify.from_environment(environment)
    part = Part("reader", 1)

    async def live() -> list[str]:
        heard: list[str] = []
        async with watched(Health(lambda: [part]), notify), asyncio.timeout(30):
            while heard.count("WATCHDOG=1") < 3:
                await asyncio.sleep(0.01)
                heard += manager.heard()
        return heard + manager.heard()

    heard = asyncio.run(live())
    assert heard[0] == "READY=1"
    assert heard[-1] == "STOPPING=1"
    assert heard.count("STATUS=reader: all done") == 1


def test_a_stalled_process_feeds_no_watchdog(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    notify = Notify.from_environment({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000"})
    part = Part("reader", 1)
    seen = asyncio.Event()
    now = 0.0

    class Watching(Health):
        def stalled(self) -> list[str]:
            seen.set()
            return super().stalled()

    async def live() -> list[str]:
        nonlocal now
        async with watched(Watching(lambda: [part], clock=lambda: now), notify), asyncio.timeout(30):
            await seen.wait()
            now = 1000.0
            for _ in range(3):
                seen.clear()
                await seen.wait()
            manager.heard()
            for _ in range(3):
                seen.clear()
                await seen.wait()
            stalled = manager.heard()
            part.signs += 1
            while "WATCHDOG=1" not in manager.heard():
                await asyncio.sleep(0.01)
        return stalled

    assert "WATCHDOG=1" not in asyncio.run(live())
    manager.close()


def test_a_reload_is_told_with_its_time(address: str, manager: Manager) -> None:
    notify = Notify(address)
    notify.reloading()
    notify.ready()
    reloading, ready = manager.heard()
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert ready == "READY=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    Notify.from_environment({}).ready()
    Notify(str(tmp_path / "nobody")).ready()
    assert Notify.from_environment({"WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"}).watchdog is None


def test_what_is_served() -> None:
    part = Part("reader", 1)
    config = MonitorConfig(listen=f"127.0.0.1:{free_port(())}")
    now = 0.0

    def metrics() -> Iterator[Metric]:
        yield CounterMetricFamily("logintel_test", "For the test.", value=part.signs)

    async def ask() -> None:
        health = Health(lambda: [part], patience=60, clock=lambda: now)
        async with monitored(config, health, metrics), httpx.AsyncClient(base_url=f"http://{config.listen}") as client:
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).json() == {"ok": True, "reasons": []}
            part.trouble = "no answer in time"
            assert (await client.get("/livez")).status_code == 200
            unready = await client.get("/readyz")
            assert (unready.status_code, unready.json()["reasons"]) == (503, ["reader: no answer in time"])
            nonlocal now
            now = 61.0
            assert (await client.get("/livez")).status_code == 503
            families = {one.name: one for one in text_string_to_metric_families((await client.get("/metrics")).text)}
            assert families["logintel_test"].samples[0].value == 1
            assert "process_cpu_seconds" in families
            assert (await client.get("/")).status_code == 404

    asyncio.run(ask())


def test_a_port_in_use_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = MonitorConfig(listen=f"127.0.0.1:{taken.getsockname()[1]}")

        async def serve() -> None:
            async with monitored(config, Health(list), lambda: ()):
                raise AssertionError

        with pytest.raises(Refused, match=r"monitor\.listen: cannot listen on .*: stop what uses it"):
            asyncio.run(serve())
