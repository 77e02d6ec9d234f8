"""The collector as a service: what the manager hears, what is served, and a reload that is refused or done."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from logintel.bus.topics import set_up
from logintel.config.shared import KafkaBusConfig

METRICS = Path(__file__).parents[2] / "docs" / "metrics.md"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """A collector under a service manager that is this test."""

    def __init__(self, directory: Path, kafka: str) -> None:
        self.file, self.log = directory / "collector.yaml", directory / "log"
        self.listen = f"127.0.0.1:{free_port()}"
        self.config: dict[str, Any] = {
            "installation": f"test-{secrets.token_hex(6)}",
            "bus": {"kafka": {"bootstrap_servers": [kafka]}},
            "roles": ["processor"],
            "monitor": {"listen": self.listen},
        }
        self.heard: list[str] = []
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(directory / "notify"))
        self._manager.setblocking(False)
        self.write()
        environment = {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "1000000"}
        words = [sys.executable, "-m", "logintel", "collector", "run", "--config", str(self.file)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=directory)

    def write(self, **more: Any) -> None:
        self.file.write_text(yaml.safe_dump({**self.config, **more}))

    def until(self, true: Callable[[], bool]) -> None:
        """Wait, and hear what it says meanwhile."""
        deadline = time.monotonic() + 90
        while not true():
            assert time.monotonic() < deadline, (self.heard, self.log.read_text())
            assert self.process.poll() is None, self.log.read_text()
            try:
                self.heard.append(self._manager.recv(4096).decode())
            except BlockingIOError:
                time.sleep(0.05)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://{self.listen}{path}", timeout=10)

    def close(self) -> None:
        self._manager.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def service(tmp_path: Path, kafka: str) -> Iterator[Service]:
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    service = Service(tmp_path, kafka)
    yield service
    service.close()


def test_a_life_under_a_service_manager(service: Service) -> None:
    service.until(lambda: service.heard.count("WATCHDOG=1") >= 2)
    assert service.heard[0] == "READY=1"
    service.until(lambda: service.get("/readyz").status_code == 200)
    assert service.get("/livez").json() == {"ok": True, "reasons": []}
    families = {one.name: one for one in text_string_to_metric_families(service.get("/metrics").text)}
    told = {name for name in families if name.startswith("logintel_")}
    described = set(re.findall(r"^\| `(logintel_(?:role|build)\w*?)(?:_total)?`", METRICS.read_text(), re.MULTILINE))
    assert told == described
    assert {sample.labels["role"] for sample in families["logintel_role_records"].samples} == {"processor"}

    service.write(colour="blue")
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: "reload_refused" in service.log.read_text())
    assert "unknown key" in service.log.read_text()
    assert service.get("/livez").status_code == 200

    service.heard.clear()
    service.write(roles=["processor", "keeper"])
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: service.log.read_text().count("reload_refused") == 2)
    assert "stores.postgres" in service.log.read_text()

    service.listen = f"127.0.0.1:{free_port()}"
    service.write(monitor={"listen": service.listen})
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: '"event": "reloaded"' in service.log.read_text())
    service.until(lambda: service.heard[-1:] != [] and "WATCHDOG=1" in service.heard[-1])
    assert any(message.startswith("RELOADING=1") for message in service.heard)
    service.until(lambda: _answers(service))

    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0


def _answers(service: Service) -> bool:
    try:
        return service.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
