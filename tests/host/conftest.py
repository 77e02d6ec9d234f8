"""Small file systems of their own, for the tests that fill and break them."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logintel.bus.topics import set_up
from logintel.config.shared import KafkaBusConfig


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Mounts a tmpfs with these options under this name; it is gone with the test."""
    places: list[Path] = []

    def mounted(name: str, options: str) -> Path:
        place = tmp_path / name
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        places.append(place)
        return place

    yield mounted
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="session")
def bus(kafka: str) -> str:
    """host:port of a Kafka that has the topics."""
    asyncio.run(set_up(KafkaBusConfig(bootstrap_servers=(kafka,))))
    return kafka
