"""A service manager: starts a command as systemd would, hears what it tells, asks what it serves."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from logintel_devstack.ports import free_port

_METRICS = Path(__file__).parents[2] / "docs" / "metrics.md"


def described(section: str) -> set[str]:
    """The families that a section of docs/metrics.md names, and those of every process."""
    text = _METRICS.read_text()
    parts = [text.partition(f"## {name}\n")[2].partition("\n## ")[0] for name in ("Every process", section)]
    return {name for part in parts for name in re.findall(r"^\| `(logintel_\w*?)(?:_total)?`", part, re.MULTILINE)}


class ServiceManager:
    """Runs `logintel WORDS --config FILE` with a monitor and a watchdog of a second."""

    def __init__(self, directory: Path, config: dict[str, Any], *words: str) -> None:
        self.file, self.log = directory / "config.yaml", directory / "log"
        self.listen = f"127.0.0.1:{free_port(())}"
        self.config = {**config, "monitor": {"listen": self.listen}}
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(directory / "notify"))
        self._socket.setblocking(False)
        self.write()
        environment = {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "1000000"}
        command = [sys.executable, "-m", "logintel", *words, "--config", str(self.file)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=directory)

    def write(self, **more: Any) -> None:
        """Write the configuration, with other values for some keys."""
        self.file.write_text(yaml.safe_dump({**self.config, **more}))

    def until(self, true: Callable[[], bool]) -> None:
        """Wait, and hear what it says meanwhile."""
        deadline = time.monotonic() + 120
        while not true():
            assert time.monotonic() < deadline, (self.heard, self.log.read_text())
            assert self.process.poll() is None, self.log.read_text()
            try:
                self.heard.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                time.sleep(0.05)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://{self.listen}{path}", timeout=10)

    def ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def families(self) -> dict[str, Metric]:
        """What it counts, by name."""
        return {one.name: one for one in text_string_to_metric_families(self.get("/metrics").text)}

    def close(self) -> None:
        self._socket.close()
        self.process.kill()
        self.process.wait()
