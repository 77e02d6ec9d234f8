"""Small file systems of their own, for the tests that fill and break them; servers from Debian's packages."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from debian_postgres import PASSWORD, Certificates, Server

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


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """A directory of the user postgres, with certificates."""
    home = Path(tempfile.mkdtemp(prefix="logintel-postgres-"))
    Certificates(home)
    for path in (home, *home.iterdir()):
        shutil.chown(path, "postgres", "postgres")
    yield home
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def debian(postgres_home: Path) -> Iterator[Server]:
    """Debian's PostgreSQL, with the role logintel: make a database of your own. Who ends it starts it again."""
    server = Server(postgres_home)
    server.prepare()
    server.start()
    try:
        server.sql(f"CREATE ROLE logintel LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        server.end(signal.SIGINT)
