"""The agent as a service: what the manager hears, what is served, and a reload."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_manager import ServiceManager, described

from logintel.bus.topics import set_up
from logintel.config.shared import KafkaBusConfig

LINES = 50


@pytest.fixture(params=[1, 2])
def service(request: pytest.FixtureRequest, tmp_path: Path, kafka: str) -> Iterator[ServiceManager]:
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    (tmp_path / "app.log").write_text("".join(f"request {n}\n" for n in range(LINES)))
    config = {
        "installation": f"test-{secrets.token_hex(6)}",
        "bus": {"kafka": {"bootstrap_servers": [kafka]}},
        "agent": {"data_dir": str(tmp_path / "data"), "workers": request.param},
        "sources": [source(tmp_path / "app.log")],
    }
    service = ServiceManager(tmp_path, config, "agent", "run")
    yield service
    service.close()


def source(path: Path, **more: Any) -> dict[str, Any]:
    drop_odd = {"filter": [{"name": "odd", "drop": {"field": "message", "pattern": "[13579]$"}}]}
    return {"name": "shop", "type": "application", "paths": [str(path)], "process": drop_odd, **more}


def test_a_life_under_a_service_manager(service: ServiceManager, tmp_path: Path) -> None:
    service.until(lambda: service.heard.count("WATCHDOG=1") >= 2)
    assert service.heard[0] == "READY=1"
    service.until(service.ready)

    def sent() -> float:
        samples = service.families()["logintel_source_events_sent"].samples
        return next((one.value for one in samples if one.name.endswith("_total")), 0)

    service.until(lambda: sent() == LINES // 2)
    families = service.families()
    assert {name for name in families if name.startswith("logintel_")} == described("The agent")
    dropped = next(one for one in families["logintel_source_events_dropped"].samples if one.name.endswith("_total"))
    assert (dropped.labels, dropped.value) == ({"source": "shop", "reason": "filter:odd"}, LINES // 2)
    service.until(lambda: any(f"{LINES // 2} events sent" in message for message in service.heard))

    service.heard.clear()
    service.write(sources=[source(tmp_path / "app.log", tags=["new"])])
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: "configuration_reloaded" in service.log.read_text())
    service.until(lambda: "READY=1" in service.heard)
    reloading = next(place for place, message in enumerate(service.heard) if message.startswith("RELOADING=1"))
    assert service.heard.index("READY=1") > reloading

    service.write(monitor={"listen": "127.0.0.1:1"})
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: "monitor.listen: only a restart changes this" in service.log.read_text())

    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0
