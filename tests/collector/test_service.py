"""The collector as a service: what the manager hears, what is served, and a reload that is refused or done."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_manager import ServiceManager, described

from logintel.bus.topics import set_up
from logintel.config.shared import KafkaBusConfig
from logintel_devstack.ports import free_port


@pytest.fixture
def service(tmp_path: Path, kafka: str) -> Iterator[ServiceManager]:
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    bus = {"kafka": {"bootstrap_servers": [kafka]}}
    config = {"installation": f"test-{secrets.token_hex(6)}", "bus": bus, "roles": ["processor"]}
    service = ServiceManager(tmp_path, config, "collector", "run")
    yield service
    service.close()


def test_a_life_under_a_service_manager(service: ServiceManager) -> None:
    service.until(lambda: service.heard.count("WATCHDOG=1") >= 2)
    assert service.heard[0] == "READY=1"
    service.until(service.ready)
    assert service.get("/livez").json() == {"ok": True, "reasons": []}
    families = service.families()
    assert {name for name in families if name.startswith("logintel_")} == described("The collector")
    assert {sample.labels["role"] for sample in families["logintel_role_records"].samples} == {"processor"}

    service.write(colour="blue")
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: "reload_refused" in service.log.read_text())
    assert "unknown key" in service.log.read_text()
    assert service.get("/livez").status_code == 200

    service.write(roles=["processor", "keeper"])
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: service.log.read_text().count("reload_refused") == 2)
    assert "stores.postgres" in service.log.read_text()

    service.heard.clear()
    service.listen = f"127.0.0.1:{free_port(())}"
    service.write(monitor={"listen": service.listen})
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: '"event": "reloaded"' in service.log.read_text())
    service.until(lambda: service.heard[-1:] == ["WATCHDOG=1"])
    assert any(message.startswith("RELOADING=1") for message in service.heard)
    service.until(service.ready)

    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0
